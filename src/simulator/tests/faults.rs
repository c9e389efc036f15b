//! Injected faults, over HTTP and as text.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Reader, config};
use crate::simulator::{Fault, FaultError, Misbehaviour};

const NIGHTS: &str = "sleep?start_date=2026-03-01&end_date=2026-03-08";

#[test]
fn faults_have_a_text_form() {
    let parsed: Fault = "collection=sleep,status=429,retry_after=2,times=3".parse().unwrap();
    let expected =
        Fault::on_collection("sleep", Misbehaviour::Status { status: 429, retry_after: Some(2) })
            .times(3);
    assert_eq!(parsed, expected);
    assert_eq!(
        "path=/oauth/token,half_body,after=1".parse(),
        Ok(Fault::on_path("/oauth/token", Misbehaviour::HalfBody).after(1))
    );
    assert_eq!("collection=sleep".parse::<Fault>(), Err(FaultError::Nothing));
    assert_eq!("explode".parse::<Fault>(), Err(FaultError::Word("explode".to_owned())));
    for status in ["status=many", "status=99", "status=100", "status=700", "status=65536"] {
        assert!(matches!(status.parse::<Fault>(), Err(FaultError::Value(_, _))), "{status}");
    }
}

#[tokio::test]
async fn status_faults_apply_the_configured_number_of_times() {
    let reader = Reader::of(config()).await;
    reader.simulator.faults().add("collection=sleep,status=500,after=1,times=2".parse().unwrap());
    reader.simulator.faults().add("collection=workout,scope".parse().unwrap());
    reader.simulator.faults().add("collection=tag,status=429,retry_after=7".parse().unwrap());
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(reader.get(NIGHTS).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    assert_eq!(reader.get("daily_sleep").await.status(), 200);
    assert_eq!(reader.get("tag").await.headers()["retry-after"], "7");
    let scope = reader.get("workout").await;
    assert_eq!(scope.status(), 401);
    assert!(scope.text().await.unwrap().contains("workout scope"));
    let log = reader.simulator.requests();
    assert_eq!(
        log.log()
            .iter()
            .filter(|request| request.collection() == Some("sleep") && request.status == 500)
            .count(),
        2
    );
    assert_eq!(
        (log.count("/v2/usercollection/sleep"), log.by_path()["/v2/usercollection/tag"]),
        (4, 1)
    );
    assert_eq!(log.log()[0].parameter("end_date").as_deref(), Some("2026-03-08"));

    reader.simulator.faults().clear();
    reader.simulator.faults().add("membership_expired".parse().unwrap());
    assert_eq!(reader.get("daily_sleep").await.status(), 403);
}

#[tokio::test]
async fn bodies_can_be_truncated_invalid_or_slow() {
    let reader = Reader::of(config()).await;
    reader.simulator.faults().add("collection=sleep,half_body,times=1".parse().unwrap());
    let response = reader.get(NIGHTS).await;
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    reader.simulator.faults().add("collection=sleep,invalid_json,times=1".parse().unwrap());
    assert!(reader.get(NIGHTS).await.json::<Value>().await.is_err());
    reader.simulator.faults().add("collection=sleep,drip=0,times=1".parse().unwrap());
    let whole = reader.json(NIGHTS).await;
    assert_eq!(whole, reader.json(NIGHTS).await);
}

#[tokio::test]
async fn documents_can_be_changed_repeated_or_endless() {
    let reader = Reader::of(config()).await;
    let original = reader.json(NIGHTS).await["data"].as_array().unwrap().clone();
    let response_with = async |fault: &str| {
        reader.simulator.faults().clear();
        reader.simulator.faults().add(fault.parse().unwrap());
        reader.json(NIGHTS).await
    };
    assert!(response_with("unknown_field").await["data"][0]["brand_new"].is_object());
    let wrong = &response_with("wrong_type").await["data"];
    for night in wrong.as_array().unwrap() {
        assert!(
            night["efficiency"].is_string()
                && night["readiness"]["contributors"]["sleep_balance"].is_string(),
            "{night}"
        );
        assert!(
            ["id", "day", "bedtime_start", "type", "movement_30_sec"]
                .iter()
                .all(|field| night[field].is_i64()),
            "{night}"
        );
    }
    assert_eq!(
        wrong[0]["bedtime_start"].as_i64(),
        Some(super::at(original[0]["bedtime_start"].as_str().unwrap()).seconds())
    );
    let ids: BTreeSet<_> =
        wrong.as_array().unwrap().iter().map(|night| night["id"].as_i64()).collect();
    assert_eq!(ids.len(), original.len());
    assert_eq!(response_with("wrong_shape").await["data"]["0"], original[0]);
    assert_eq!(
        response_with("duplicated").await["data"].as_array().unwrap().len(),
        original.len() * 2
    );
    assert_eq!(response_with("shuffled").await["data"][0], original[original.len() - 1]);
    assert_eq!(response_with("endless_pages").await["next_token"], "again");
}
