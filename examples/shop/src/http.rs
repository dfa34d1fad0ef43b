//! The routes: orders come in once by their key, states and health go out.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use framework::{Accepted, IntakeError, ReadError, ServiceHandle};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Deserialize;

use crate::orders::{Order, Pay, PlaceOrder, Stock};

#[derive(Clone)]
struct Shop {
    service: ServiceHandle,
    metrics: PrometheusHandle,
}

type Answer = (StatusCode, String);

pub(crate) fn routes(service: ServiceHandle, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/orders/{order}", get(order))
        .route("/orders/{order}/payment", post(pay))
        .route("/stock/{item}", get(stock))
        .route("/health", get(health))
        .route("/metrics", get(metrics_text))
        .with_state(Shop { service, metrics })
}

#[derive(Deserialize)]
struct Wish {
    item: String,
    count: u32,
}

/// Returns when the order is durable. A client that has no answer asks again with the same key.
async fn place(State(shop): State<Shop>, headers: HeaderMap, Json(wish): Json<Wish>) -> Answer {
    let Some(key) = headers.get("idempotency-key").and_then(|key| key.to_str().ok()) else {
        let missing = "give the order a key of its own: Idempotency-Key";
        return (StatusCode::BAD_REQUEST, missing.to_owned());
    };
    let Wish { item, count } = wish;
    let order = PlaceOrder { order: key.to_owned(), item, count };
    sent(shop.service.producer().send_once("orders", key, order).await)
}

async fn pay(State(shop): State<Shop>, Path(order): Path<String>) -> Answer {
    let key = order.clone();
    sent(shop.service.producer().send_once("payments", &key, Pay { order }).await)
}

fn sent(sent: Result<Accepted, IntakeError>) -> Answer {
    match sent {
        Ok(Accepted::New) => (StatusCode::ACCEPTED, "taken in".to_owned()),
        Ok(_) => (StatusCode::OK, "taken in before".to_owned()),
        Err(error) => (status_of(&error), error.to_string()),
    }
}

fn status_of(error: &IntakeError) -> StatusCode {
    match error {
        IntakeError::Differs { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        IntakeError::Id { .. } | IntakeError::Message(_) => StatusCode::BAD_REQUEST,
        // It is stopping, or has too much to do: the same request may succeed later.
        IntakeError::Ended | IntakeError::Busy { .. } | IntakeError::Ids { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn order(State(shop): State<Shop>, Path(order): Path<String>) -> Answer {
    let found = shop.service.state::<Order>(&order).await;
    read(found.map(|order| order.map(|Order { item, count }| format!("{count} {item}, unpaid"))))
}

async fn stock(State(shop): State<Shop>, Path(item): Path<String>) -> Answer {
    let found = shop.service.state::<Stock>(&item).await;
    read(found.map(|stock| Some(stock.unwrap_or_default().left.to_string())))
}

fn read(found: Result<Option<String>, ReadError>) -> Answer {
    match found {
        Ok(Some(text)) => (StatusCode::OK, text),
        Ok(None) => (StatusCode::NOT_FOUND, "there is none".to_owned()),
        Err(error @ ReadError::Ended) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// 503 with the reasons while requests should go elsewhere.
async fn health(State(shop): State<Shop>) -> Answer {
    let ready = shop.service.ready();
    let status = if ready.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, ready.to_string())
}

async fn metrics_text(State(shop): State<Shop>) -> String {
    shop.metrics.run_upkeep();
    shop.metrics.render()
}
