use framework::error::BoxError;
use framework::prelude::*;
use framework::testing::TestApp;
use serde_json::Value;

use crate::support::{Dice, in_time};

#[derive(Clone, Debug, PartialEq, Message, Serialize, Deserialize)]
#[message(topic = "measured", key = sensor)]
struct Measured {
    sensor: String,
    numbers: Vec<f64>,
    small: Vec<f32>,
}

/// What is left alone, again and again.
#[derive(Message, Serialize, Deserialize)]
#[message(topic = "touched", key = sensor)]
struct Touched {
    sensor: String,
}

#[derive(Debug, Default, PartialEq, State, Serialize, Deserialize)]
#[state(name = "numbers")]
struct Numbers {
    numbers: Vec<f64>,
    small: Vec<f32>,
    touches: u32,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Rest {
    value: Value,
}

#[handler]
async fn measured(event: Measured, numbers: &mut Numbers) -> Outgoing<Measured> {
    numbers.rest.value = Value::from(event.numbers.clone());
    numbers.numbers.clone_from(&event.numbers);
    numbers.small.clone_from(&event.small);
    event.to("passed-on")
}

#[handler]
async fn touched(_: Touched, numbers: &mut Numbers) {
    numbers.touches += 1;
}

/// The same, a version later.
#[derive(Debug, Default, PartialEq, State, Serialize, Deserialize)]
#[state(name = "numbers", version = 2, upcast = to_v2)]
struct NumbersV2 {
    all: Vec<f64>,
    small: Vec<f32>,
}

fn to_v2(_: u32, mut old: Value) -> Result<Value, BoxError> {
    let all = old["numbers"].take();
    Ok(serde_json::json!({ "all": all, "small": old["small"] }))
}

#[handler]
async fn read(_: Touched, _: &mut NumbersV2) {}

fn numbers() -> (Vec<f64>, Vec<f32>) {
    // The first two are known to come back changed by a reader that rounds in a hurry.
    let mut large = vec![989.2905127117023, 1.05108576273751e131, -0.0, f64::MIN_POSITIVE, 5e-324];
    let mut small = vec![0.1, f32::MAX, f32::MIN_POSITIVE, 1e-45];
    let mut dice = Dice::new(7);
    while large.len() < 1_000 {
        let number = f64::from_bits(dice.roll(u64::MAX));
        large.extend(Some(number).filter(|number| number.is_finite()));
        let number = f32::from_bits(dice.roll(u64::from(u32::MAX)) as u32);
        small.extend(Some(number).filter(|number| number.is_finite()));
    }
    (large, small)
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

#[tokio::test(start_paused = true)]
async fn in_messages_states_and_upcasts() -> anyhow::Result<()> {
    let app = App::new("lab").handlers(handlers![measured, touched]);
    let mut lab = TestApp::start(app).await?;
    let (large, small) = numbers();
    let sent = Measured { sensor: "a".into(), numbers: large.clone(), small: small.clone() };
    lab.publish(sent.clone()).await?;
    for _ in 0..4 {
        lab.publish(Touched { sensor: "a".into() }).await?;
    }
    in_time(lab.settle()).await?;
    let passed = lab.broker().published("passed-on").remove(0);
    let passed: Measured = serde_json::from_slice(&passed.body)?;
    assert_eq!(bits(&passed.numbers), bits(&large));
    let state = lab.state::<Numbers>("a").await?.expect("it has one");
    assert_eq!((bits(&state.numbers), state.touches), (bits(&large), 4));
    assert_eq!(state.small, small);
    let value: Vec<f64> = serde_json::from_value(state.rest.value)?;
    assert_eq!(bits(&value), bits(&large));

    let (broker, store) = (lab.broker().clone(), lab.store().clone());
    lab.stop().await?;
    let app = App::new("lab").handlers(handlers![read]).retired_type("measured", "Measured");
    let lab = TestApp::start_on(app, broker, store).await?;
    let state = lab.state::<NumbersV2>("a").await?.expect("it has one");
    assert_eq!((bits(&state.all), state.small), (bits(&large), small));
    Ok(())
}
