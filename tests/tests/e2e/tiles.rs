//! The log as tiles (C2SP `tlog-tiles`): a program that knows only the specification reads and proves it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::HeaderMap;
use rollcall_events::log::Entry;
use rollcall_tests::audit::id;
use rollcall_tests::client::user;
use rollcall_tests::service::verify;
use rollcall_tests::{Client, Organization, Stack, eventually};
use serde_json::{Value, json};
use std::collections::HashMap;
use tlog_tiles::{
    Hash, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record, prove_tree, tree_hash,
};

/// The height of a tile, as the specification has it.
const HEIGHT: u8 = 8;

/// The tiles of a log, by their paths.
struct Tiles(HashMap<String, Vec<u8>>);

impl TileReader for Tiles {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let of = |tile: &Tile| self.0.get(&path_of(tile)).cloned().ok_or(tlog_tiles::Error::InvalidTile);
        tiles.iter().map(of).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// The path of a tile below the prefix: `tile/8/0/000` is `/tile/0/000`.
fn path_of(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "/tile/", 1)
}

async fn bytes(auditor: &Client, path: &str) -> (u16, HeaderMap, Vec<u8>) {
    let answer = auditor.call(Method::GET, path).open().await;
    (answer.status().as_u16(), answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
}

/// The size and root of the newest checkpoint.
async fn checkpoint(auditor: &Client) -> (u64, Hash) {
    let answer = auditor.get("/checkpoint").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    let note = answer.expect(200).as_str().unwrap().to_owned();
    let lines: Vec<_> = note.lines().collect();
    (lines[1].parse().unwrap(), Hash(STANDARD.decode(lines[2]).unwrap().try_into().unwrap()))
}

/// Waits for a checkpoint of at least this size.
async fn signed(auditor: &Client, size: u64) -> (u64, Hash) {
    eventually("a checkpoint", async || {
        if auditor.get("/checkpoint").await.status != 200 {
            return None;
        }
        Some(checkpoint(auditor).await).filter(|(signed, _)| *signed >= size)
    })
    .await
}

/// Reads all tiles of a log of this size.
async fn tiles(auditor: &Client, size: u64) -> Tiles {
    let mut found = HashMap::new();
    for tile in Tile::new_tiles(HEIGHT, 0, size) {
        let path = path_of(&tile);
        let (status, headers, hashes) = bytes(auditor, &path).await;
        assert_eq!((status, hashes.len()), (200, 32 * tile.width() as usize), "{path}");
        assert_eq!(headers["content-type"], "application/octet-stream");
        assert_eq!(headers["cache-control"], "private, max-age=31536000, immutable");
        assert_eq!(headers["vary"], "authorization", "the path does not name the organization");
        found.insert(path, hashes);
    }
    Tiles(found)
}

/// Reads the entries of the bundle of a tile of leaves.
async fn entries(auditor: &Client, tile: &Tile) -> Vec<Vec<u8>> {
    let path = path_of(tile).replacen("/tile/0/", "/tile/entries/", 1);
    let (status, headers, bundle) = bytes(auditor, &path).await;
    assert_eq!((status, &headers["content-type"]), (200, &"application/octet-stream".parse().unwrap()), "{path}");
    assert_eq!(headers["cache-control"], "private, max-age=31536000, immutable");
    let (mut rest, mut entries) = (&bundle[..], Vec::new());
    while let Some((length, more)) = rest.split_first_chunk() {
        let (entry, more) = more.split_at(u16::from_be_bytes(*length).into());
        entries.push(entry.to_vec());
        rest = more;
    }
    assert!(rest.is_empty(), "{path}");
    entries
}

/// Creates users in bulk.
async fn fill(client: &Client, name: &str, users: usize) {
    let create = |n: usize| json!({"method": "POST", "path": "/Users", "bulkId": format!("b{n}"), "data": user(&format!("{name}-{n}"))});
    let operations: Vec<_> = (0..users).map(create).collect();
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
    client.send(Method::POST, "/Bulk", body).await.expect(200);
}

/// A log of more than four tiles, read by the client of the crate `tlog_tiles`.
#[tokio::test]
async fn a_program_that_knows_only_the_specification_reads_and_proves_a_log() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let (client, auditor) = (organization.client(), organization.auditor());
    let ada = client.create(user("ada")).await.id();
    let earlier = signed(&auditor, 1).await;
    for name in ["one", "other"] {
        fill(&client, name, 520).await;
    }
    let export = auditor.get("/export").await.expect(200).as_str().unwrap().to_owned();
    let log: Vec<Entry> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (size, root) = signed(&auditor, log.len() as u64).await;
    assert!(size == log.len() as u64 && size > 4 * 256, "{size}");

    let found = tiles(&auditor, size).await;
    let reader = TileHashReader::new(size, root, &found);
    assert_eq!(tree_hash(size, &reader).unwrap(), root);
    for n in [0, 1, 255, 256, 511, 700, size - 1] {
        let proof = prove_record(size, n, &reader).unwrap();
        let leaf = tlog_tiles::record_hash(&log[usize::try_from(n).unwrap()].header.canonical().unwrap());
        check_record(&proof, size, root, n, leaf).unwrap();
    }
    let proof = prove_tree(size, earlier.0, &reader).unwrap();
    check_tree(&proof, size, root, earlier.0, earlier.1).unwrap();

    let leaves = Tile::new_tiles(HEIGHT, 0, size).into_iter().filter(|tile| tile.level() == 0);
    let mut headers = Vec::new();
    for tile in leaves {
        let (hashes, bundle) = (&found.0[&path_of(&tile)], entries(&auditor, &tile).await);
        assert_eq!(bundle.len(), tile.width() as usize);
        for (hash, entry) in hashes.chunks(32).zip(&bundle) {
            assert_eq!(tlog_tiles::record_hash(entry).0, hash);
        }
        headers.extend(bundle);
    }
    assert_eq!(headers, log.iter().map(|entry| entry.header.canonical().unwrap()).collect::<Vec<_>>());

    // A tile that is full serves every smaller width too, for those who hold an older checkpoint.
    let part = bytes(&auditor, "/tile/0/001.p/7").await.2;
    assert_eq!(part, found.0["/tile/0/001"][..7 * 32]);
    assert_eq!(bytes(&auditor, "/tile/1/000.p/3").await.2, found.0["/tile/1/000.p/4"][..3 * 32]);
    let none =
        ["/tile/1/000", "/tile/1/000.p/5", "/tile/2/000.p/1", "/tile/0/004", "/tile/0/005.p/1", "/tile/entries/004"];
    for path in none {
        assert_eq!(auditor.get(path).await.expect_error(404, None), "there is no such tile", "{path}");
    }

    // Bundles are compressed; hashes are not, because that would gain nothing.
    for (path, coding) in [("/tile/entries/001", "gzip"), ("/tile/0/001", "identity")] {
        let answer = auditor.call(Method::GET, path).header("accept-encoding", "gzip").open().await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["content-encoding"]), (200, &coding.parse().unwrap()));
    }
    a_state_with_many_entries_after_it(&organization, &auditor, &ada, &log).await;
}

/// A file can show 1000 entries between a change and the time. Of more, it can only say that it leaves them out.
async fn a_state_with_many_entries_after_it(organization: &Organization, auditor: &Client, user: &str, log: &[Entry]) {
    let at = |index: usize| log[index].header.recorded_at.to_string();
    let path = |at: &str, more: &str| format!("/users/{user}/proof?at={at}{more}");
    let created = log.iter().position(|entry| entry.header.subject_id == Some(id(user))).unwrap();
    let refused = auditor.get(&path(&at(log.len() - 1), "&between=true")).await;
    assert!(refused.expect_error(400, Some("invalidValue")).contains("a file can show 1000"), "{}", refused.body);
    let file = organization.folder().join("state.tlog-proof");
    let check = async |at: &str, more: &str| {
        let text = auditor.get(&path(at, more)).await.expect(200);
        std::fs::write(&file, text.as_str().unwrap()).unwrap();
        verify(&["proof", file.to_str().unwrap(), "--key", &organization.checkpoint_key()])
    };
    let (code, output) = check(&at(log.len() - 1), "").await;
    assert!(code == 2 && output.contains("which the file leaves out"), "{output}");
    let (code, output) = check(&at(created + 1000), "&between=true").await;
    assert!(code == 0 && output.contains("is the last change before"), "{output}");
}

/// Two organizations have the same paths and different tiles. The token decides.
#[tokio::test]
async fn an_auditor_reads_the_tiles_of_one_organization_only() {
    let stack = Stack::shared().await;
    let organizations = [stack.organization(), stack.organization()];
    let mut found = Vec::new();
    for organization in &organizations {
        organization.client().create(user("ada")).await.expect(201);
        let auditor = organization.auditor();
        let size = auditor.get("/events?count=1").await.expect(200)["entries"][0]["header"]["seq"].as_u64().unwrap();
        let (size, root) = signed(&auditor, size).await;
        let tiles = tiles(&auditor, size).await;
        assert_eq!(tree_hash(size, &TileHashReader::new(size, root, &tiles)).unwrap(), root);
        let bundle = entries(&auditor, &Tile::new(HEIGHT, 0, 0, u32::try_from(size).unwrap(), false)).await;
        for entry in &bundle {
            let header: Value = serde_json::from_slice(entry).unwrap();
            assert_eq!(header["organization_id"], json!(organization.id));
        }
        found.push(tiles.0[&format!("/tile/0/000.p/{size}")].clone());
    }
    assert_ne!(found[0][..32], found[1][..32]);
    let (_, scim) = organizations[0].issue(&[]);
    for token in ["", "wrong", &scim] {
        for path in ["/checkpoint", "/tile/0/000.p/1", "/tile/entries/000.p/1", "/events/1/proof"] {
            Client::auditor(&stack.url, token).get(path).await.expect_error(401, None);
        }
    }
    let auditor = organizations[0].auditor();
    for path in [
        "/tile/0/",
        "/tile/0/0",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/01",
        "/tile/64/000.p/1",
        "/tile/00/000.p/1",
        "/tile/0/x000/000.p/1",
        "/tile/entries/x000",
        "/tile/entries/000",
        "/tile/0/x018/x446/x744/x073/x709/x551/615",
        "/tile/8/000.p/1",
    ] {
        auditor.get(path).await.expect_error(404, None);
    }
    auditor.send(Method::POST, "/tile/0/000.p/1", json!({})).await.expect_error(405, None);
    for path in ["/checkpoint", "/tile/0/000.p/1", "/tile/entries/000.p/1"] {
        let (whole, head) = (auditor.get(path).await, auditor.call(Method::HEAD, path).send().await);
        assert_eq!((head.status, head.header("cache-control")), (200, whole.header("cache-control")), "{path}");
        assert_eq!((head.header("content-type"), &head.body), (whole.header("content-type"), &Value::Null), "{path}");
    }
}

/// A stack without a signing key signs no checkpoints. Then nothing is served, however long the log is. A
/// checkpoint is all that counts.
#[tokio::test]
async fn entries_without_a_checkpoint_are_not_served() {
    let stack = Stack::private("unsigned", &[]).await;
    let (organization, other) = (stack.organization(), stack.organization());
    let ada = organization.client().create(user("ada")).await.id();
    let auditor = organization.auditor();
    let now = auditor.get("/events?count=1").await.expect(200)["entries"][0]["header"]["recorded_at"].clone();
    let state = format!("/users/{ada}/proof?at={}", now.as_str().unwrap());
    auditor.get("/checkpoint").await.expect_error(404, None);
    for path in ["/tile/0/000.p/1", "/tile/entries/000.p/1"] {
        assert_eq!(auditor.get(path).await.expect_error(404, None), "there is no such tile");
    }
    assert_eq!(
        auditor.get("/events/2/proof").await.expect_error(404, None),
        "no signed checkpoint has entry 2 yet; ask again in a minute"
    );
    assert!(auditor.get(&state).await.expect_error(404, None).contains("no signed checkpoint has entry 1 yet"));
    let owner = stack.database("postgres").await;
    let sql =
        "INSERT INTO rollcall.checkpoints (organization_id, size, signed_at, note) VALUES ($1, 3, now(), 'a note')";
    owner.execute(sql, &[&id(&organization.id)]).await.unwrap();
    for (path, status) in [
        ("/tile/0/000.p/3", 200),
        ("/tile/0/000.p/4", 404),
        ("/tile/entries/000.p/3", 200),
        ("/tile/entries/000.p/4", 404),
        ("/events/3/proof", 200),
        ("/events/4/proof", 404),
    ] {
        assert_eq!(auditor.get(path).await.status, status, "{path}");
        assert_eq!(other.auditor().get(path).await.status, 404, "{path}");
    }
    assert!(auditor.get(&state).await.expect_error(404, None).contains("no signed checkpoint has entry 4 yet"));
}
