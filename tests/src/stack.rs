//! A running stack, and the organizations that tests create in it.

use std::collections::BTreeSet;
use tokio_postgres::NoTls;

use crate::audit::Auditor;
use crate::client::Client;
use crate::instance::Instance;
use crate::service::{Service, answers, migrate, ready};

/// The servers and services.
#[derive(Debug)]
pub struct Stack {
    /// The servers.
    pub instance: Instance,
    /// The URL of the api.
    pub url: String,
    /// The api, if this stack is private.
    pub api: Option<Service>,
    /// The worker, if this stack is private.
    pub worker: Option<Service>,
}

/// An organization that belongs to one test.
#[derive(Debug, Clone)]
pub struct Organization {
    instance: Instance,
    url: String,
    /// The id.
    pub id: String,
    /// The id of its workspace Marketing, the default workspace of its tokens. It is neither the first nor
    /// the last that was created.
    pub marketing: String,
    /// The id of its workspace Sales.
    pub sales: String,
    /// The id of its workspace Legal, the default workspace of each client's second token.
    pub legal: String,
}

impl Stack {
    /// The stack that `./dev test` has started.
    pub async fn shared() -> Self {
        Self::at(Instance::shared()).await
    }

    /// The stack whose services `./dev` has started beside these servers. Waits until it is ready.
    pub async fn at(instance: Instance) -> Self {
        let url = format!("http://127.0.0.1:{}", instance.api_port());
        ready(&url).await;
        Self { instance, url, api: None, worker: None }
    }

    /// Starts a stack that the test may break.
    pub async fn private(name: &str, api_settings: &[(&str, &str)]) -> Self {
        Self::private_with(name, api_settings, &[]).await
    }

    /// Starts a stack that the test may break, with extra settings for the worker too.
    pub async fn private_with(name: &str, api_settings: &[(&str, &str)], worker_settings: &[(&str, &str)]) -> Self {
        let instance = Instance::fresh(name);
        migrate(&instance);
        let worker = Service::worker_with(&instance, worker_settings);
        let (api, url) = Service::api(&instance, api_settings).await;
        Self { instance, url, api: Some(api), worker: Some(worker) }
    }

    /// Creates an organization with three workspaces.
    pub fn organization(&self) -> Organization {
        let id = |arguments: &[&str]| answers(&self.instance, arguments)[0]["id"].as_str().unwrap().to_owned();
        let organization = id(&["organization", "create", "Test"]);
        let workspace = |name| id(&["workspace", "create", "--organization", &organization, name]);
        let [legal, marketing, sales] = ["Legal", "Marketing", "Sales"].map(workspace);
        Organization {
            instance: self.instance.clone(),
            url: self.url.clone(),
            id: organization,
            marketing,
            sales,
            legal,
        }
    }

    /// Connects to the database as a role.
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

    /// The dead letter with this message id, if it is stored yet: its id, its reason and its body.
    pub async fn dead_letter(&self, message_id: &str) -> Option<(String, String, Vec<u8>)> {
        let sql = "SELECT id::text, reason, body FROM rollcall.dead_letters WHERE message_id = $1";
        let row = self.database("rollcall_worker").await.query_opt(sql, &[&message_id]).await.unwrap()?;
        Some((row.get(0), row.get(1), row.get(2)))
    }

    /// An auditor who recomputes everything in the database.
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
    /// Issues a SCIM token for the origin `hr.example.com`, with extra flags. Returns its id and the token.
    pub fn issue(&self, flags: &[&str]) -> (String, String) {
        self.issue_for(&self.marketing, flags)
    }

    /// Issues a SCIM token with this default workspace and extra flags. Returns its id and the token.
    pub fn issue_for(&self, workspace: &str, flags: &[&str]) -> (String, String) {
        let mut arguments = vec!["token", "issue", "--organization", &self.id, "--default-workspace", workspace];
        arguments.extend(["--label", "test", "--service-origin", "hr.example.com"]);
        arguments.extend(flags);
        let issued = answers(&self.instance, &arguments).remove(0);
        (issued["id"].as_str().unwrap().to_owned(), issued["token"].as_str().unwrap().to_owned())
    }

    /// Issues an auditor token with extra flags. Returns its id and the token.
    pub fn issue_for_auditor(&self, flags: &[&str]) -> (String, String) {
        let mut arguments = vec!["auditor-token", "issue", "--organization", &self.id, "--label", "auditor"];
        arguments.extend(flags);
        let issued = answers(&self.instance, &arguments).remove(0);
        (issued["id"].as_str().unwrap().to_owned(), issued["token"].as_str().unwrap().to_owned())
    }

    /// Creates a link to sign in to the pages.
    pub fn sign_in_link(&self, role: &str) -> String {
        let arguments = ["admin", "link", "--organization", &self.id, "--name", "Ada Lovelace", "--role", role];
        let link = answers(&self.instance, &arguments).remove(0)["link"].as_str().unwrap().to_owned();
        // The command's link has the public URL of the settings, which is not the URL of this test's api.
        format!("{}/sign-in{}", self.url, &link[link.find('?').unwrap()..])
    }

    /// Creates an event stream for the audience `receiver`, with extra flags. Returns the command's output.
    pub fn stream(&self, flags: &[&str]) -> serde_json::Value {
        let mut arguments =
            vec!["stream", "create", "--organization", &self.id, "--label", "test", "--audience", "receiver"];
        arguments.extend(flags);
        answers(&self.instance, &arguments).remove(0)
    }

    /// A client with a new auditor token.
    pub fn auditor(&self) -> Client {
        Client::auditor(&self.url, &self.issue_for_auditor(&[]).1)
    }

    /// A folder for the files that a test exports.
    pub fn folder(&self) -> std::path::PathBuf {
        let folder = self.instance.dir().join("taken").join(&self.id);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The public key to check checkpoints with.
    pub fn checkpoint_key(&self) -> String {
        std::fs::read_to_string(self.instance.dir().join("checkpoint.pub")).unwrap().trim().to_owned()
    }

    /// Defines a role or an entitlement (`kind`), with extra flags. Returns its id.
    pub fn define(&self, kind: &str, name: &str, flags: &[&str]) -> String {
        let mut arguments = vec![kind, "define", "--organization", &self.id, name];
        arguments.extend(flags);
        answers(&self.instance, &arguments)[0]["id"].as_str().unwrap().to_owned()
    }

    /// Runs a command for this organization. Returns its output, or its standard error if it fails.
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

    /// A caller with the right origin and two new tokens. New users go to Marketing; all calls but POST carry
    /// a token whose default workspace is Legal.
    pub fn client(&self) -> Client {
        self.client_with(&[]).with_second_token(&self.issue_for(&self.legal, &[]).1)
    }

    /// A caller with one token, which has this default workspace.
    pub fn client_of(&self, workspace: &str) -> Client {
        Client::new(&self.url, &self.issue_for(workspace, &[]).1, Some("hr.example.com"))
    }

    /// A caller with one token, which was issued with extra flags.
    pub fn client_with(&self, flags: &[&str]) -> Client {
        Client::new(&self.url, &self.issue(flags).1, Some("hr.example.com"))
    }
}
