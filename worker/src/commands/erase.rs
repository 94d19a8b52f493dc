//! Takes what is known of a user out of the dead letters.

use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use lapin::{Connection, ConnectionProperties};
use rollcall_events::UserId;
use rollcall_events::topology::{DEAD, declare};
use secrecy::ExposeSecret;

use super::CommandError;
use crate::settings::Settings;

/// How many dead letters are looked at; more of them are a trouble of their own.
const MAX_LOOKED_AT: usize = 100_000;

/// Removes every dead letter that names a user, and puts the others back as they were; answers how many it removed.
pub(super) async fn dead_letters(settings: &Settings, user: UserId) -> Result<usize, CommandError> {
    let connection = Connection::connect(settings.amqp_url.expose_secret(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    declare(&channel, settings.partitions).await?;
    let id = user.to_string();
    let (mut kept, mut removed) = (Vec::new(), 0);
    while kept.len() < MAX_LOOKED_AT {
        let Some(message) = channel.basic_get(DEAD.into(), BasicGetOptions::default()).await? else { break };
        if message.data.windows(id.len()).any(|window| window == id.as_bytes()) {
            message.acker.ack(BasicAckOptions::default()).await?;
            removed += 1;
        } else {
            // Not the message itself: there may be many, and large ones.
            kept.push(message.delivery.acker);
        }
    }
    for acker in kept {
        acker.nack(BasicNackOptions { requeue: true, ..Default::default() }).await?;
    }
    Ok(removed)
}
