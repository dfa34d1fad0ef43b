use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::{Value, json};

use super::*;

fn strict<T: Serialize>(value: &T) -> Result<String, String> {
    let mut to = Vec::new();
    let written = write(&mut to, value, Mode::Strict);
    written.map(|()| String::from_utf8(to).unwrap()).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Point {
    x: f32,
    y: Option<f64>,
}

#[derive(Serialize)]
struct Flat {
    n: u32,
    #[serde(flatten)]
    point: Point,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Untagged {
    Of(Vec<Point>),
}

#[derive(Serialize)]
#[serde(tag = "kind")]
enum Tagged {
    Of(Point),
}

#[derive(Serialize)]
enum Plain {
    Point(Point),
    Pair(f64, f64),
    Named { at: f64 },
    Unit,
}

#[derive(Serialize)]
struct Whole {
    unit: (),
    nothing: Option<u8>,
    character: char,
    wide: u128,
    bytes: [u8; 3],
    enums: Vec<Plain>,
    flat: Flat,
    untagged: Untagged,
    tagged: Tagged,
    value: Value,
    map: BTreeMap<u64, &'static str>,
}

fn point(y: f64) -> Point {
    Point { x: 1.5, y: Some(y) }
}

#[test]
fn what_is_written_is_what_serde_json_writes() {
    let whole = Whole {
        unit: (),
        nothing: None,
        character: 'ü',
        wide: u128::MAX,
        bytes: [1, 2, 3],
        enums: vec![
            Plain::Point(point(0.1)),
            Plain::Pair(1.0, -0.0),
            Plain::Named { at: 1e300 },
            Plain::Unit,
        ],
        flat: Flat { n: 1, point: point(2.5) },
        untagged: Untagged::Of(vec![point(3.0)]),
        tagged: Tagged::Of(point(4.0)),
        value: json!({ "a": [null, true, -1, 2.5, "\"\n"], "b": {} }),
        map: BTreeMap::from([(1, "one")]),
    };
    assert_eq!(strict(&whole).unwrap(), serde_json::to_string(&whole).unwrap());
}

#[test]
fn a_number_that_is_not_finite_is_refused_wherever_it_stands() {
    let nan = f64::NAN;
    let cases = [
        (strict(&nan), ""),
        (strict(&f32::INFINITY), ""),
        (strict(&Point { x: f32::NAN, y: None }), "x"),
        (strict(&point(nan)), "y"),
        (strict(&Flat { n: 1, point: point(nan) }), "y"),
        (strict(&Untagged::Of(vec![point(1.0), point(nan)])), "[1].y"),
        (strict(&Tagged::Of(point(nan))), "y"),
        (strict(&Plain::Point(point(nan))), "Point.y"),
        (strict(&Plain::Pair(0.0, nan)), "[1]"),
        (strict(&Plain::Named { at: nan }), "at"),
        (strict(&BTreeMap::from([("a", [0.0, nan])])), "a[1]"),
        (strict(&(1, nan)), "[1]"),
    ];
    for (case, (written, field)) in cases.into_iter().enumerate() {
        let error = written.unwrap_err();
        let at = if field.is_empty() { String::new() } else { format!("field `{field}`: ") };
        assert!(error.starts_with(&at), "case {case}: {error}");
        assert!(error.contains("is no number in JSON"), "case {case}: {error}");
    }
}

#[test]
fn what_json_has_no_key_for_is_refused() {
    struct Keyed<K>(K);
    impl<K: Serialize> Serialize for Keyed<K> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            let mut map = to.serialize_map(Some(1))?;
            map.serialize_entry(&self.0, &1)?;
            map.end()
        }
    }
    assert_eq!(strict(&Keyed("a")).unwrap(), r#"{"a":1}"#);
    assert_eq!(strict(&Keyed(7_u64)).unwrap(), r#"{"7":1}"#);
    assert_eq!(strict(&Keyed(true)).unwrap(), r#"{"true":1}"#);
    let error = strict(&Keyed(1.5)).unwrap_err();
    assert!(error.starts_with("field `1.5`: a floating-point number cannot be a key"), "{error}");
    for error in [strict(&Keyed(None::<u8>)), strict(&Keyed(())), strict(&Keyed([1]))] {
        assert!(error.unwrap_err().contains("key must be a string"));
    }
}

#[test]
fn the_deepest_that_is_written_is_the_deepest_that_is_read() {
    let nested = |levels| (1..levels).fold(json!([]), |inner, _| json!([inner]));
    let deepest = strict(&nested(DEPTH_MAX.into())).unwrap();
    serde_json::from_str::<Value>(&deepest).unwrap();
    let error = strict(&nested(usize::from(DEPTH_MAX) + 1)).unwrap_err();
    assert!(error.contains("[0][0]") && error.contains("127 levels"), "{error}");

    #[derive(Serialize, serde::Deserialize, Debug)]
    enum Tree {
        Leaf,
        Pair(Box<Tree>, u8),
        Named { next: Box<Tree> },
        Next(Box<Tree>),
    }
    // Variants count as the reader counts them: an object, and what is in it.
    type Wrap = fn(Tree) -> Tree;
    let wraps: [(Wrap, usize); 3] = [
        (|tree| Tree::Pair(Box::new(tree), 1), 2),
        (|tree| Tree::Named { next: Box::new(tree) }, 2),
        (|tree| Tree::Next(Box::new(tree)), 1),
    ];
    for (wrap, levels) in wraps {
        let most = usize::from(DEPTH_MAX) / levels;
        let tree = (0..most).fold(Tree::Leaf, |tree, _| wrap(tree));
        serde_json::from_str::<Tree>(&strict(&tree).unwrap()).unwrap();
        assert!(strict(&wrap(tree)).is_err());
    }
}

#[test]
fn the_first_wide_integer_is_found() {
    let mut to = Vec::new();
    let error = write(&mut to, &(1, [(2_u8, 3_i128)]), Mode::FindWide).unwrap_err();
    assert_eq!(error.field, "[1][0][1]");
}

proptest! {
    #[test]
    fn every_finite_number_comes_back_as_it_was(bits: u64, bits32: u32) {
        let (x, y) = (f64::from_bits(bits), f32::from_bits(bits32));
        prop_assume!(x.is_finite() && y.is_finite());
        let text = strict(&(x, y)).unwrap();
        let read: (f64, f32) = serde_json::from_str(&text).unwrap();
        prop_assert_eq!((read.0.to_bits(), read.1.to_bits()), (bits, bits32));
        // On the way of an upcast.
        let value: Value = serde_json::from_str(&text).unwrap();
        let read: (f64, f32) = serde_json::from_value(value).unwrap();
        prop_assert_eq!((read.0.to_bits(), read.1.to_bits()), (bits, bits32));
    }
}
