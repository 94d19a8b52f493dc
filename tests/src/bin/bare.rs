//! The baseline for benchmarks: the same path without SCIM, authentication, a verifiable log, or reading the
//! state.
//!
//! A handler publishes to a quorum queue with a confirm. A batch worker inserts into three tables in one
//! transaction and replies. `./dev bench` measures the service and this baseline in the same run, so that the
//! ratio does not depend on the machine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark panics at the first fault")]

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Parser;
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

/// The services' allocator, so that the comparison is not about allocation.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const QUEUE: &str = "bare.requested";
const BATCH: u16 = 500;
const TABLES: &str = "
    CREATE SCHEMA IF NOT EXISTS bare;
    CREATE TABLE IF NOT EXISTS bare.events (id uuid PRIMARY KEY, payload jsonb NOT NULL);
    CREATE TABLE IF NOT EXISTS bare.users (id uuid PRIMARY KEY, name text NOT NULL UNIQUE, resource jsonb NOT NULL);
    CREATE TABLE IF NOT EXISTS bare.members (user_id uuid PRIMARY KEY, workspace_id uuid NOT NULL)";
const SELECT: &str = "SELECT resource::text FROM rollcall.users WHERE organization_id = $1 AND id = $2";
const INSERTS: [&str; 3] = [
    "INSERT INTO bare.events SELECT * FROM unnest($1::uuid[], $2::jsonb[])",
    "INSERT INTO bare.users SELECT id, resource ->> 'userName', resource
    FROM unnest($1::uuid[], $2::jsonb[]) AS u (id, resource)",
    "INSERT INTO bare.members SELECT id, id FROM unnest($1::uuid[]) AS u (id)",
];

#[derive(Debug, Parser)]
enum Part {
    /// Runs the handler.
    Api { amqp_url: String, database_url: String, listen: String },
    /// Runs the batch worker.
    Worker { amqp_url: String, database_url: String },
}

type PendingReplies = Arc<Mutex<HashMap<Uuid, oneshot::Sender<()>>>>;

struct HandlerState {
    channel: Channel,
    answers: String,
    pending: PendingReplies,
}

#[tokio::main]
async fn main() {
    match Part::parse() {
        Part::Api { amqp_url, database_url, listen } => api(&amqp_url, &database_url, &listen).await,
        Part::Worker { amqp_url, database_url } => worker(&amqp_url, &database_url).await,
    }
}

async fn connect(amqp_url: &str) -> (Connection, Channel) {
    let connection = Connection::connect(amqp_url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(QUEUE.into(), options, arguments).await.unwrap();
    (connection, channel)
}

async fn api(amqp_url: &str, database_url: &str, listen: &str) {
    let (_connection, channel) = connect(amqp_url).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
    let answers = channel.queue_declare("".into(), own, FieldTable::default()).await.unwrap().name().clone();
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let consumer = channel.basic_consume(answers.clone(), "".into(), options, FieldTable::default()).await.unwrap();
    let pending = PendingReplies::default();
    tokio::spawn(consume(consumer, pending.clone()));
    let state = Data::new(HandlerState { channel, answers: answers.as_str().to_owned(), pending });
    let (database, driver) = tokio_postgres::connect(database_url, NoTls).await.unwrap();
    tokio::spawn(driver);
    let select = database.prepare(SELECT).await.unwrap();
    let reader = Data::new((database, select));
    let app = move || {
        App::new()
            .app_data(state.clone())
            .app_data(reader.clone())
            .route("/scim/v2/Users", web::post().to(create))
            .route("/scim/v2/bare/{organization}/{id}", web::get().to(read))
    };
    HttpServer::new(app).bind(listen).unwrap().run().await.unwrap();
}

async fn consume(mut consumer: Consumer, pending: PendingReplies) {
    while let Some(Ok(delivery)) = consumer.next().await {
        for id in delivery.data.chunks_exact(16).map(|bytes| Uuid::from_slice(bytes).unwrap()) {
            if let Some(sender) = pending.lock().unwrap().remove(&id) {
                let _ = sender.send(());
            }
        }
    }
}

async fn create(state: Data<HandlerState>, body: Bytes) -> HttpResponse {
    let id = Uuid::now_v7();
    let (sender, outcome) = oneshot::channel();
    state.pending.lock().unwrap().insert(id, sender);
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(id.to_string().into())
        .with_reply_to(state.answers.as_str().into());
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    state.channel.basic_publish("".into(), QUEUE.into(), options, &body, properties).await.unwrap().await.unwrap();
    outcome.await.unwrap();
    HttpResponse::Created().content_type("application/json").body(body)
}

/// Reads a user with one prepared SELECT, without authentication.
async fn read(reader: Data<(Client, Statement)>, path: web::Path<(Uuid, Uuid)>) -> HttpResponse {
    let row = reader.0.query_one(&reader.1, &[&path.0, &path.1]).await.unwrap();
    HttpResponse::Ok().content_type("application/json").body(row.get::<_, String>(0))
}

async fn worker(amqp_url: &str, database_url: &str) {
    let (database, driver) = tokio_postgres::connect(database_url, NoTls).await.unwrap();
    tokio::spawn(driver);
    database.batch_execute(TABLES).await.unwrap();
    let mut inserts = Vec::new();
    for insert in INSERTS {
        inserts.push(database.prepare(insert).await.unwrap());
    }
    let (_connection, channel) = connect(amqp_url).await;
    channel.basic_qos(BATCH, BasicQosOptions::default()).await.unwrap();
    let mut consumer = channel
        .basic_consume(QUEUE.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await
        .unwrap();
    while let Some(first) = consumer.next().await {
        let mut batch: Vec<Delivery> = vec![first.unwrap()];
        while batch.len() < usize::from(BATCH) {
            match consumer.next().now_or_never() {
                Some(Some(delivery)) => batch.push(delivery.unwrap()),
                _ => break,
            }
        }
        let id =
            |delivery: &Delivery| delivery.properties.message_id().as_ref().unwrap().as_str().parse::<Uuid>().unwrap();
        let ids: Vec<_> = batch.iter().map(id).collect();
        let bodies: Vec<Value> = batch.iter().map(|delivery| serde_json::from_slice(&delivery.data).unwrap()).collect();
        let (begin, commit) = (database.batch_execute("BEGIN"), database.batch_execute("COMMIT"));
        let (both, only): ([&(dyn ToSql + Sync); 2], [&(dyn ToSql + Sync); 1]) = ([&ids, &bodies], [&ids]);
        let events = database.query(&inserts[0], &both);
        let users = database.query(&inserts[1], &both);
        let members = database.query(&inserts[2], &only);
        futures_util::try_join!(begin, events, users, members, commit).unwrap();
        batch.last().unwrap().acker.ack(BasicAckOptions { multiple: true }).await.unwrap();
        let mut replies: HashMap<&str, Vec<u8>> = HashMap::new();
        for (delivery, id) in batch.iter().zip(&ids) {
            replies.entry(delivery.properties.reply_to().as_ref().unwrap().as_str()).or_default().extend(id.as_bytes());
        }
        for (queue, body) in replies {
            channel
                .basic_publish(
                    "".into(),
                    queue.into(),
                    BasicPublishOptions::default(),
                    &body,
                    BasicProperties::default(),
                )
                .await
                .unwrap();
        }
    }
}
