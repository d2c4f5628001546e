//! What it costs to send a parcel, as an HTTP service.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// The heaviest parcel that is taken, in kilograms.
pub const MAX_KG: f64 = 30.0;

#[derive(Deserialize)]
struct Parcel {
    kg: f64,
    #[serde(default = "home")]
    to: String,
}

/// A price, with what it is for.
#[derive(Debug, PartialEq, Serialize)]
pub struct Quote {
    pub to: String,
    pub kg: f64,
    pub cents: u64,
}

fn home() -> String {
    "DE".to_owned()
}

/// The price for a parcel of `kg` kilograms to the country with the code `to`.
///
/// # Errors
/// In words, when a parcel of that weight is not taken.
pub fn quote(kg: f64, to: &str) -> Result<Quote, String> {
    if !(kg > 0.0 && kg <= MAX_KG) {
        return Err(format!(
            "a parcel weighs more than 0 and at most {MAX_KG} kg"
        ));
    }
    let (base, per_kg) = match to {
        "DE" => (490, 60),
        "AT" | "BE" | "DK" | "FR" | "NL" | "PL" => (890, 110),
        _ => (1990, 450),
    };
    let cents = base + per_kg * kg.ceil() as u64;
    Ok(Quote {
        to: to.to_owned(),
        kg,
        cents,
    })
}

async fn quote_route(Query(parcel): Query<Parcel>) -> Result<Json<Quote>, (StatusCode, String)> {
    quote(parcel.kg, &parcel.to)
        .map(Json)
        .map_err(|reason| (StatusCode::BAD_REQUEST, reason))
}

/// The routes of the service.
pub fn routes() -> Router {
    Router::new()
        .route("/", get(|| async { "Parcels: ask /quote?kg=2.5&to=FR\n" }))
        .route("/healthz", get(|| async { "ok" }))
        .route("/quote", get(quote_route))
}
