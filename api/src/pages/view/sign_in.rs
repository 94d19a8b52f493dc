//! The pages before a session begins.

use askama::Template;
use rollcall_events::OrganizationId;

use super::names::role_text;
use crate::pages::text::Language;
use crate::read::Person;

/// The page on which a person with several organizations chooses one.
#[derive(Template)]
#[template(path = "choose.html")]
pub(in crate::pages) struct Choose {
    pub(in crate::pages) t: Language,
    /// The organizations: id, name, and the id of the text of the person's role.
    pub(in crate::pages) choices: Vec<(OrganizationId, String, &'static str)>,
    /// The person's sealed identity.
    pub(in crate::pages) identity: String,
}

/// The page of a sign-in link.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(in crate::pages) struct SignIn {
    pub(in crate::pages) t: Language,
    pub(in crate::pages) person: Person,
    pub(in crate::pages) link: String,
}

impl SignIn {
    fn role(&self) -> &'static str {
        role_text(self.person.role)
    }
}
