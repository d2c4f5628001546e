use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use parcels::{MAX_KG, quote, routes};
use tower::ServiceExt;

async fn ask(path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = routes().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn a_parcel_costs_by_country_and_begun_kilogram() {
    assert_eq!(quote(1.0, "DE").unwrap().cents, 550);
    assert_eq!(quote(2.5, "FR").unwrap().cents, 1220);
    assert_eq!(quote(2.5, "NZ").unwrap().cents, 3340);
}

#[test]
fn weights_that_nobody_carries_are_refused() {
    for kg in [0.0, -1.0, MAX_KG + 0.1, f64::NAN] {
        assert!(quote(kg, "DE").is_err(), "{kg} kg");
    }
}

#[tokio::test]
async fn the_service_answers_in_json() {
    let (status, body) = ask("/quote?kg=2.5&to=FR").await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::OK, r#"{"to":"FR","kg":2.5,"cents":1220}"#)
    );
}

#[tokio::test]
async fn a_bad_weight_is_the_callers_mistake() {
    assert_eq!(ask("/quote?kg=99").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(ask("/quote?kg=heavy").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn it_says_that_it_is_well() {
    assert_eq!(ask("/healthz").await, (StatusCode::OK, "ok".to_owned()));
}
