use framework::prelude::*;
use framework::testing::TestApp;

use crate::bank::{Account, Deposit, deposit};

struct Rates;

#[derive(Message, Serialize, Deserialize)]
struct Unkeyed {}

#[handler]
async fn rated(_: Deposit, _rates: &Rates) {}

#[handler]
async fn twice(_: Deposit, one: &mut Account, other: &mut Option<Account>) {
    one.balance += i64::from(other.is_some());
}

#[handler]
async fn keyless(_: Unkeyed, account: &mut Account) {
    account.balance += 1;
}

#[handler(order = none)]
async fn hasty(_: Deposit, account: &mut Account) {
    account.balance += 1;
}

#[handler(name = "deposit")]
async fn namesake(_: Deposit) {}

/// What the start of such an app says; it names these.
async fn refused(app: App, named: &[&str]) {
    let Err(RunError::Start(error)) = TestApp::start(app).await else { panic!("it starts") };
    let said = error.to_string();
    for part in named {
        assert!(said.contains(part), "{part:?} is missing in: {said}");
    }
}

fn app(handlers: Handlers) -> App {
    App::new("bank").handlers(handlers)
}

#[tokio::test(start_paused = true)]
async fn a_missing_dependency() {
    let here = "start_up_checks_name_handler_and_remedy.rs";
    refused(app(handlers![rated]), &["\"rated\"", here, "Rates", ".provide("]).await;
}

#[tokio::test(start_paused = true)]
async fn one_name_for_two_handlers() {
    let remedy = "#[handler(name = \"...\")]";
    refused(app(handlers![deposit, namesake]), &["\"deposit\"", "bank.rs", remedy]).await;
    refused(app(handlers![deposit, deposit]), &["\"deposit\"", "list it once"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_state_twice_in_a_handler() {
    refused(app(handlers![twice]), &["\"twice\"", "\"account\" twice", "#[state(name"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_state_without_a_key() {
    refused(app(handlers![keyless]), &["\"keyless\"", "Unkeyed", "#[message(key = field)]"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_state_without_an_order() {
    refused(app(handlers![hasty]), &["\"hasty\"", "\"account\"", "take away order = none"]).await;
}

#[tokio::test(start_paused = true)]
async fn unlike_orders_in_one_component() {
    let named = ["\"hasty\"", "\"deposit\"", "the same order"];
    refused(app(handlers![deposit, hasty]), &named).await;
    refused(app(handlers![hasty, deposit]), &named).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_name_that_is_no_name() {
    for name in ["", "a/b", "broker"] {
        refused(App::new(name), &[&format!("{name:?}"), "App::new"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_name_that_the_app_lacks() {
    let remedy = "correct the new name";
    let renamed = app(handlers![deposit]).renamed("old", "depositt");
    refused(renamed, &["\"old\"", "\"depositt\"", remedy]).await;
    let renamed = app(handlers![deposit]).renamed_state("old", "acount");
    refused(renamed, &["\"old\"", "\"acount\"", remedy]).await;
}
