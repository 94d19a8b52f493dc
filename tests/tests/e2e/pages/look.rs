//! Languages, and special characters in input.

use super::browser::Browser;
use super::{accessible, generate, signed_in};
use rollcall_tests::Stack;

#[tokio::test]
async fn the_pages_use_the_preferred_or_the_chosen_language() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let browser = Browser::open("es-MX,es").await;
    browser.goto(&organization.sign_in_link("administrator")).await;
    browser.sees("h1", "Iniciar sesión en Test").await;
    browser.press("#sign-in").await;
    browser.sees("h1", "Aprovisionamiento SCIM").await;
    browser.type_in("#origin", "?").await;
    browser.sees("#problem-origin", "Introduce un nombre de host").await;
    accessible(&browser, "scim-es").await;
    browser.press("button[lang=en]").await;
    browser.sees("h1", "SCIM provisioning").await;
    browser.goto(&format!("{}/settings/scim/guides/okta", stack.url)).await;
    browser.sees("h1", "Set up Okta").await;
    accessible(&browser, "okta").await;
    browser.goto(&format!("{}/settings/scim/guides/entra", stack.url)).await;
    accessible(&browser, "entra").await;
    browser.close().await;
}

#[tokio::test]
async fn typed_markup_is_shown_as_text_and_pages_are_small() {
    let stack = Stack::shared().await;
    let organization = stack.organization();
    let browser = signed_in(&stack, &organization).await;
    let attack = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">'\"&";
    generate(&browser, attack).await;
    browser.sees("h1", attack).await;
    browser.press("a.button").await;
    browser.sees("tbody", attack).await;
    browser.press(".row-actions a").await;
    assert_eq!(browser.find("#label").await.value().await.unwrap().unwrap(), attack);
    assert!(!browser.driver.title().await.unwrap().contains("owned"));
    browser.goto(&format!("{}/settings/scim", stack.url)).await;
    browser.find("#generate").await;
    let (bytes, from) = browser.transfers().await;
    assert!(bytes < 100 * 1024, "{bytes} bytes");
    assert!(from.iter().all(|name| name.starts_with(&stack.url) || !name.contains("://")), "{from:?}");
    browser.close().await;
}
