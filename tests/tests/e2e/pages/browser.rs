//! A real browser: headless Chromium, driven over `WebDriver`.

use serde_json::{Value, json};
use std::mem::ManuallyDrop;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use thirtyfour::prelude::{By, WebDriver, WebElement};
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities as Capabilities};

use rollcall_tests::eventually;
use rollcall_tests::service::free_port;

/// A browser. It is closed when it is dropped.
pub(crate) struct Browser {
    /// The driver. Its own drop would wait for a browser that may be gone already.
    pub(crate) driver: ManuallyDrop<WebDriver>,
    process: Child,
}

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

/// The screen and color scheme of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Look {
    /// A desktop screen, light.
    Light,
    /// A desktop screen, dark.
    Dark,
    /// A phone.
    Phone,
}

impl Browser {
    /// Opens a browser with a preferred language.
    pub(crate) async fn open(language: &str) -> Self {
        let port = free_port();
        let process = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Use a process group, so that all of its processes end together.
            .process_group(0)
            .spawn()
            .expect("chromedriver: run ./dev test, which installs it");
        let mut wanted: thirtyfour::ChromeCapabilities = Capabilities::chrome();
        // Chromium's sandbox does not work for root, and shared memory is scarce in containers.
        let flags = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars"];
        for flag in flags
            .map(str::to_owned)
            .into_iter()
            .chain([format!("--accept-lang={language}"), "--window-size=1280,900".to_owned()])
        {
            wanted.add_arg(&flag).unwrap();
        }
        let url = format!("http://127.0.0.1:{port}");
        let driver = eventually("the browser", async || WebDriver::new(&url, wanted.clone()).await.ok()).await;
        Self { driver: ManuallyDrop::new(driver), process }
    }

    /// Opens a page.
    pub(crate) async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Waits for an element and returns it.
    pub(crate) async fn find(&self, selector: &str) -> WebElement {
        eventually(selector, async || self.driver.find(By::Css(selector)).await.ok()).await
    }

    /// The text of an element.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.unwrap()
    }

    /// Waits until an element contains a text.
    pub(crate) async fn sees(&self, selector: &str, text: &str) {
        eventually(&format!("{text} in {selector}"), async || {
            let element = self.driver.find(By::Css(selector)).await.ok()?;
            element.text().await.ok()?.contains(text).then_some(())
        })
        .await;
    }

    /// Replaces the content of a field.
    pub(crate) async fn type_in(&self, selector: &str, text: &str) {
        let field = self.find(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks an element.
    pub(crate) async fn press(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap();
    }

    /// The HTML of the page.
    pub(crate) async fn source(&self) -> String {
        self.driver.source().await.unwrap()
    }

    /// Switches to a screen and color scheme.
    pub(crate) async fn look(&self, look: Look) {
        let tools = self.driver.cdp();
        let scheme = if matches!(look, Look::Dark) { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        tools.send_raw("Emulation.setEmulatedMedia", media).await.unwrap();
        let (width, height) = if matches!(look, Look::Phone) { (390, 844) } else { (1280, 900) };
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": matches!(look, Look::Phone)});
        tools.send_raw("Emulation.setDeviceMetricsOverride", size).await.unwrap();
    }

    /// Saves screenshots of the whole page to `target/screenshots`: light, dark, and on a phone.
    pub(crate) async fn picture(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        for (look, kind) in [(Look::Phone, "phone"), (Look::Dark, "dark"), (Look::Light, "light")] {
            self.look(look).await;
            let shot = self
                .driver
                .cdp()
                .send_raw("Page.captureScreenshot", json!({"captureBeyondViewport": true}))
                .await
                .unwrap();
            let bytes =
                base64::Engine::decode(&base64::engine::general_purpose::STANDARD, shot["data"].as_str().unwrap())
                    .unwrap();
            std::fs::write(folder.join(format!("{name}-{kind}.png")), bytes).unwrap();
        }
    }

    /// The accessibility faults that axe finds (WCAG 2.2 A and AA): light, dark, and on a phone.
    pub(crate) async fn barriers(&self) -> Vec<String> {
        let axe =
            std::fs::read_to_string(std::env::var("ROLLCALL_AXE").expect("axe: run ./dev test, which fetches it"))
                .unwrap();
        let run = "const done = arguments[0]; axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', \
            'wcag22aa']}).then(r => done(r.violations), e => done([{id: String(e), nodes: []}]));";
        let mut found = Vec::new();
        for look in [Look::Phone, Look::Dark, Look::Light] {
            self.look(look).await;
            self.driver.execute(axe.as_str(), Vec::new()).await.unwrap();
            let violations = self.driver.execute_async(run, Vec::new()).await.unwrap();
            for violation in violations.json().as_array().unwrap() {
                let nodes: Vec<_> =
                    violation["nodes"].as_array().unwrap().iter().map(|node| node["html"].to_string()).collect();
                found.push(format!("{look:?} {}: {}", violation["id"], nodes.join(", ")));
            }
        }
        found
    }

    /// How many bytes the page loaded over the network, and from which hosts.
    pub(crate) async fn transfers(&self) -> (u64, Vec<String>) {
        let script = "return performance.getEntries().filter(e => e.transferSize !== undefined).map(e => [e.name, \
            e.transferSize]);";
        let entries = self.driver.execute(script, Vec::new()).await.unwrap();
        let entries: Vec<(String, u64)> = serde_json::from_value(entries.json().clone()).unwrap();
        (entries.iter().map(|entry| entry.1).sum(), entries.into_iter().map(|entry| entry.0).collect())
    }

    /// The cookies of the browser.
    pub(crate) async fn cookies(&self) -> Vec<Value> {
        let tools = self.driver.cdp();
        tools.send_raw("Storage.getCookies", json!({})).await.unwrap()["cookies"].as_array().unwrap().clone()
    }

    /// Closes the browser.
    pub(crate) async fn close(self) {
        let _ = WebDriver::clone(&self.driver).quit().await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-9", "--"]).arg(format!("-{}", self.process.id())).status();
        let _ = self.process.wait();
    }
}
