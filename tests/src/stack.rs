//! A running stack, and the organizations that tests have in it.

use std::collections::BTreeSet;
use tokio_postgres::NoTls;

use crate::audit::Auditor;
use crate::client::Client;
use crate::instance::Instance;
use crate::service::{Service, answers, migrate, ready};

/// Servers and services.
#[derive(Debug)]
pub struct Stack {
    /// The servers.
    pub instance: Instance,
    /// Where the api is.
    pub url: String,
    /// The services, where they are the test's own.
    pub api: Option<Service>,
    /// The worker, where it is the test's own.
    pub worker: Option<Service>,
}

/// A customer company of a test's own.
#[derive(Debug, Clone)]
pub struct Organization {
    instance: Instance,
    url: String,
    /// Its id.
    pub id: String,
    /// The id of its workspace Marketing, the default of its tokens. It is neither the first nor the last that was made.
    pub marketing: String,
    /// The id of its workspace Sales.
    pub sales: String,
    /// The id of its workspace Legal, the default of the second token of each client.
    pub legal: String,
}

impl Stack {
    /// The stack that `./dev test` has started.
    pub async fn shared() -> Self {
        let instance = Instance::shared();
        let url = format!("http://127.0.0.1:{}", instance.api_port());
        ready(&url).await;
        Self { instance, url, api: None, worker: None }
    }

    /// A stack of one's own, to break.
    pub async fn private(name: &str, api_settings: &[(&str, &str)]) -> Self {
        Self::private_with(name, api_settings, &[]).await
    }

    /// A stack of one's own whose worker has settings of its own, too.
    pub async fn private_with(name: &str, api_settings: &[(&str, &str)], worker_settings: &[(&str, &str)]) -> Self {
        let instance = Instance::fresh(name);
        migrate(&instance);
        let worker = Service::worker_with(&instance, worker_settings);
        let (api, url) = Service::api(&instance, api_settings).await;
        Self { instance, url, api: Some(api), worker: Some(worker) }
    }

    /// A new organization with several workspaces.
    pub fn organization(&self) -> Organization {
        let id = |arguments: &[&str]| answers(&self.instance, arguments)[0]["id"].as_str().unwrap().to_owned();
        let organization = id(&["organization", "create", "Test"]);
        let workspace = |name| id(&["workspace", "create", "--organization", &organization, name]);
        let [legal, marketing, sales] = ["Legal", "Marketing", "Sales"].map(workspace);
        Organization { instance: self.instance.clone(), url: self.url.clone(), id: organization, marketing, sales, legal }
    }

    /// A connection to the database in one of its roles.
    pub async fn database(&self, role: &str) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.instance.database_url(role), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// The ids of the workspaces that a user is a member of, as applications see it.
    pub async fn memberships(&self, user: &str) -> BTreeSet<String> {
        let sql = "SELECT workspace_id::text FROM rollcall_v1.memberships WHERE user_id::text = $1";
        self.database("rollcall_app").await.query(sql, &[&user]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// The dead letter with that message id, if it is kept by now: its id, its reason and its body.
    pub async fn dead_letter(&self, message_id: &str) -> Option<(String, String, Vec<u8>)> {
        let sql = "SELECT id::text, reason, body FROM rollcall.dead_letters WHERE message_id = $1";
        let row = self.database("rollcall_worker").await.query_opt(sql, &[&message_id]).await.unwrap()?;
        Some((row.get(0), row.get(1), row.get(2)))
    }

    /// Someone who recomputes what the database says.
    pub async fn auditor(&self) -> Auditor {
        Auditor::new(self.database("postgres").await)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.api.take().is_some() {
            drop(self.worker.take());
            self.instance.stop();
        }
    }
}

impl Organization {
    /// Issues a token for `hr.example.com`, with more flags; its id and the token.
    pub fn issue(&self, flags: &[&str]) -> (String, String) {
        self.issue_for(&self.marketing, flags)
    }

    /// Issues a token whose default is a workspace of the caller's choice.
    pub fn issue_for(&self, workspace: &str, flags: &[&str]) -> (String, String) {
        let mut arguments = vec!["token", "issue", "--organization", &self.id, "--default-workspace", workspace];
        arguments.extend(["--label", "test", "--service-origin", "hr.example.com"]);
        arguments.extend(flags);
        let issued = answers(&self.instance, &arguments).remove(0);
        (issued["id"].as_str().unwrap().to_owned(), issued["token"].as_str().unwrap().to_owned())
    }

    /// Issues an auditor's token, with more flags; its id and the token.
    pub fn issue_for_auditor(&self, flags: &[&str]) -> (String, String) {
        let mut arguments = vec!["auditor-token", "issue", "--organization", &self.id, "--label", "auditor"];
        arguments.extend(flags);
        let issued = answers(&self.instance, &arguments).remove(0);
        (issued["id"].as_str().unwrap().to_owned(), issued["token"].as_str().unwrap().to_owned())
    }

    /// Makes a link by which somebody can sign in to the pages.
    pub fn sign_in_link(&self, role: &str) -> String {
        let arguments = ["admin", "link", "--organization", &self.id, "--name", "Ada Lovelace", "--role", role];
        let link = answers(&self.instance, &arguments).remove(0)["link"].as_str().unwrap().to_owned();
        // A command of a test does not know where the api is.
        format!("{}/sign-in{}", self.url, &link[link.find('?').unwrap()..])
    }

    /// Makes an event stream for the audience `receiver`, with more flags; what is told of it.
    pub fn stream(&self, flags: &[&str]) -> serde_json::Value {
        let mut arguments = vec!["stream", "create", "--organization", &self.id, "--label", "test", "--audience", "receiver"];
        arguments.extend(flags);
        answers(&self.instance, &arguments).remove(0)
    }

    /// An auditor with a token of its own.
    pub fn auditor(&self) -> Client {
        Client::auditor(&self.url, &self.issue_for_auditor(&[]).1)
    }

    /// A folder for what is taken away of it.
    pub fn folder(&self) -> std::path::PathBuf {
        let folder = self.instance.dir().join("taken").join(&self.id);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The public key that checkpoints are signed with.
    pub fn checkpoint_key(&self) -> String {
        std::fs::read_to_string(self.instance.dir().join("checkpoint.pub")).unwrap().trim().to_owned()
    }

    /// Defines a role or an entitlement (`kind`), with more flags; its id.
    pub fn define(&self, kind: &str, name: &str, flags: &[&str]) -> String {
        let mut arguments = vec![kind, "define", "--organization", &self.id, name];
        arguments.extend(flags);
        answers(&self.instance, &arguments)[0]["id"].as_str().unwrap().to_owned()
    }

    /// Runs a command about this organization: its lines, or what it says if it fails.
    pub fn command(&self, arguments: &[&str]) -> Result<Vec<serde_json::Value>, String> {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--organization", &self.id]);
        crate::service::attempt(&self.instance, &arguments)
    }

    /// Maps a group to workspaces, each given as `ID` or `ID=permission,permission`.
    pub fn map_group(&self, group: &str, workspaces: &[&str]) {
        let mut arguments = vec!["group", "map", "--organization", &self.id, group];
        arguments.extend(workspaces.iter().flat_map(|workspace| ["--workspace", workspace]));
        answers(&self.instance, &arguments);
    }

    /// A caller with the right origin and two tokens of its own: new users go to Marketing, and everything else comes with a token whose default is Legal.
    pub fn client(&self) -> Client {
        self.client_with(&[]).with_second_token(&self.issue_for(&self.legal, &[]).1)
    }

    /// A caller with one token, whose default is a workspace of the test's choice.
    pub fn client_of(&self, workspace: &str) -> Client {
        Client::new(&self.url, &self.issue_for(workspace, &[]).1, Some("hr.example.com"))
    }

    /// A caller with a token that was issued with more flags.
    pub fn client_with(&self, flags: &[&str]) -> Client {
        Client::new(&self.url, &self.issue(flags).1, Some("hr.example.com"))
    }
}
