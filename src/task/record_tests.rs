#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use tras_scoring::design::Planned;

fn list(n: usize) -> Vec<Listed> {
    let one = |trial| Listed {
        planned: Planned {
            block: 1,
            trial,
            places: vec![2, 5, 7],
            features_deg: vec![10, 100, 200],
            probe: 1,
            wheel_deg: 30,
        },
        practice: false,
    };
    (1..=n).map(one).collect()
}

fn labels() -> Labels {
    Labels { participant: "P01".into(), session: "2".into(), condition: String::new() }
}

fn outcome() -> Outcome {
    Outcome {
        status: "done",
        response_deg: Some(110),
        rt_s: Some(0.8125),
        stamps_s: [Some(1.0), Some(1.5), Some(2.0), Some(2.9), Some(3.7125)],
        ..Outcome::default()
    }
}

#[test]
fn the_plan_is_there_first_and_each_row_follows_its_trial() {
    let folder = tempfile::tempdir().unwrap();
    let (mut record, done) = Record::open(folder.path(), labels(), &list(2), false, Some(12.5)).unwrap();
    assert_eq!(done, 0);
    let plan = std::fs::read_to_string(folder.path().join(PLAN)).unwrap();
    assert_eq!(plan.lines().nth(1), Some("0,0,1,1,3,100,1,2 5 7,10 100 200,30"));
    record.add(&list(2)[0], &outcome()).unwrap();
    let rows = std::fs::read_to_string(folder.path().join(TRIALS)).unwrap();
    let rows: Vec<Vec<&str>> = rows.lines().map(|l| l.split(',').collect()).collect();
    assert_eq!(rows[0].len(), rows[1].len());
    let at = |name: &str| rows[1][rows[0].iter().position(|c| *c == name).unwrap()];
    assert_eq!((at("target_deg"), at("response_deg"), at("nontarget2_deg")), ("100", "110", "200"));
    assert_eq!((at("sample_ms"), at("delay_ms"), at("probe_place")), ("500", "900", "5"));
    assert_eq!((at("response_s"), at("photodiode_ms")), ("3.712500", "12.5"));
}

#[test]
fn a_kill_in_mid_row_costs_that_row_only() {
    let folder = tempfile::tempdir().unwrap();
    let all = list(3);
    let (mut record, _) = Record::open(folder.path(), labels(), &all, false, None).unwrap();
    record.add(&all[0], &outcome()).unwrap();
    record.add(&all[1], &outcome()).unwrap();
    let path = folder.path().join(TRIALS);
    let whole = std::fs::read_to_string(&path).unwrap();
    for cut in 0..=whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let (_, done) = Record::open(folder.path(), labels(), &all, true, None).unwrap();
        assert_eq!(done, whole[..cut].matches('\n').count().saturating_sub(1), "cut at {cut}");
        let after = std::fs::read_to_string(&path).unwrap();
        assert!(after.ends_with('\n') && after.starts_with("participant,"), "cut at {cut}: {after}");
    }
}

#[test]
fn folders_of_another_task_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Record::open(folder.path(), labels(), &list(2), true, None).is_err());
    Record::open(folder.path(), labels(), &list(2), false, None).unwrap();
    let told = |list: &[Listed], resume| {
        Record::open(folder.path(), labels(), list, resume, None).map(|_| ()).unwrap_err()
    };
    assert!(told(&list(2), false).contains("--resume"));
    assert!(told(&list(3), true).contains("another task"));
}
