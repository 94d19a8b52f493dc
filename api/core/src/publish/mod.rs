//! The api's side of `RabbitMQ`: publishes requests and call records with confirms, and receives outcomes.

mod batching;
mod error;
mod link;
mod publisher;

pub use error::NotConfirmed;
pub use link::QueueStatus;
pub use publisher::Publisher;
