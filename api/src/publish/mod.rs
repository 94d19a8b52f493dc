//! The api's side of `RabbitMQ`: publishes requests and call records with confirms, and receives outcomes.

mod batching;
mod error;
mod link;
mod publisher;

pub(crate) use error::NotConfirmed;
pub(crate) use link::QueueStatus;
pub(crate) use publisher::Publisher;
