//! The pages before a session begins.

use askama::Template;
use rollcall_api_core::read::Person;
use rollcall_events::OrganizationId;

use super::names::role_text;
use crate::text::Language;

/// The page on which a person with several organizations chooses one.
#[derive(Template)]
#[template(path = "choose.html")]
pub(crate) struct Choose {
    pub(crate) t: Language,
    /// The organizations: id, name, and the id of the text of the person's role.
    pub(crate) choices: Vec<(OrganizationId, String, &'static str)>,
    /// The person's sealed identity.
    pub(crate) identity: String,
}

/// The page of a sign-in link.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignIn {
    pub(crate) t: Language,
    pub(crate) person: Person,
    pub(crate) link: String,
}

impl SignIn {
    fn role(&self) -> &'static str {
        role_text(self.person.role)
    }
}
