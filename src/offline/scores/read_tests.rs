#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;

fn read_as(name: &str, text: &str, layout: &Layout) -> Result<Trials, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let mut trials = Trials::default();
    trials.add(&path, layout).map(|()| trials)
}

fn read(text: &str) -> Result<Trials, String> {
    read_as("trials.csv", text, &Layout::default())
}

const HEAD: &str = "participant,condition,load,target_deg,response_deg,nontarget1_deg,rt_s\n";

#[test]
fn cells_come_in_order_and_an_empty_response_is_missing() {
    let t = read(&format!(
        "{HEAD}P1,steep,3,100,110.5,20,0.8\nP1,flat,3,10,,30,\nP1,steep,3,350,2,NA,1.1\nP1,steep,3,40,n/a,1,\n"
    ))
    .unwrap();
    let names: Vec<&str> = t.cells.iter().map(|c| c.condition.as_str()).collect();
    assert_eq!(names, ["steep", "flat"]);
    let steep = &t.cells[0];
    assert_eq!(steep.trials.len(), 3);
    assert_eq!(steep.trials[0].response_deg, Some(110.5));
    assert_eq!((steep.trials[1].nontargets_deg.len(), steep.trials[2].response_deg), (0, None));
    assert_eq!(steep.trials[0].rt_s, Some(0.8));
    assert!(t.notes.is_empty(), "{:?}", t.notes);
}

#[test]
fn missing_columns_are_named_with_those_there_and_the_way_out() {
    let complaint = read("participant,load,target_deg,answer\nP1,3,1,2\n").unwrap_err();
    assert!(complaint.contains("no column condition, response_deg"), "{complaint}");
    assert!(complaint.contains("there are participant, load, target_deg, answer"), "{complaint}");
    assert!(complaint.contains("--column condition=NAME"), "{complaint}");
}

#[test]
fn other_names_constants_and_units_are_taken_as_said() {
    let layout = Layout {
        columns: [("participant", "id"), ("target_deg", "target"), ("response_deg", "response")]
            .map(|(a, b)| (a.into(), b.into()))
            .into(),
        constants: vec![("condition".into(), "none".into())],
        radians: Some(true),
        ..Layout::default()
    };
    let text = "id,set_size,response,target,non_target_1\n1,2,-0.651,3.142,1.5708\n1,2,6.4,0.1,NA\n";
    let t = read_as("bays.csv", text, &layout).unwrap();
    let trial = &t.cells[0].trials[0];
    assert!(
        (trial.response_deg.unwrap() + 37.2996).abs() < 1e-3 && (trial.nontargets_deg[0] - 90.0).abs() < 1e-3
    );
    assert_eq!((t.left_out[0], t.cells[0].load.as_str(), t.cells[0].condition.as_str()), (1, "2", "none"));
    assert!(t.notes[0].contains("1 row left out, an angle outside the circle"), "{:?}", t.notes);
    let wrong = Layout { columns: vec![("load".into(), "size".into())], ..layout };
    assert!(read_as("bays.csv", text, &wrong).unwrap_err().contains("no column `size` for load"));
}

#[test]
fn radians_where_degrees_are_said_are_refused_until_the_user_says() {
    let row = |k: i32| format!("P1,s,3,{},{},,\n", f64::from(k) * 0.3, f64::from(k) * 0.3 + 0.1);
    let text = format!("{HEAD}{}", (0..12).map(row).collect::<String>());
    let complaint = read(&text).unwrap_err();
    assert!(complaint.contains("target_deg") && complaint.contains("--unit radians"), "{complaint}");
    let said = Layout { radians: Some(false), ..Layout::default() };
    assert_eq!(read_as("t.csv", &text, &said).unwrap().cells[0].trials.len(), 12);
    // One column alone is enough.
    let mixed = format!("{HEAD}P1,s,3,100,1.2,,\nP1,s,3,200,3.1,,\nP1,s,3,300,5.5,,\n");
    assert!(read(&mixed).unwrap_err().contains("response_deg"));
}

#[test]
fn what_cannot_be_used_is_left_out_and_told_by_line() {
    let t = read(&format!(
        "{HEAD}P1,s,3,100,999,20,0.8\nP1,s,3,10,20,30,0.5\nP1,s,3,10,20,30,0.5\nP1,s,3,,20,30,0.6\nP1,s,3,10,21,400,0.7\n"
    ))
    .unwrap();
    assert_eq!((t.cells[0].trials.len(), t.left_out[0]), (1, 4));
    let told = t.notes.join("\n");
    assert!(
        told.contains("2 rows left out, an angle outside the circle (-180 to 360 degrees): line 2, 6"),
        "{told}"
    );
    assert!(told.contains("1 row left out, a trial that stood before: line 4"), "{told}");
    assert!(told.contains("1 row left out, no target: line 5"), "{told}");
    assert!(
        read(&format!("{HEAD}P1,s,3,abc,2,,\n"))
            .unwrap_err()
            .contains("line 2: target_deg `abc` is no number")
    );
}

#[test]
fn numbered_trials_are_told_apart_by_number_and_whole_degrees_alone_are_not_duplicates() {
    let numbered = "participant,condition,load,block,trial,target_deg,response_deg,status\n\
        P1,s,3,1,1,100,100,done\nP1,s,3,1,1,90,80,done\nP1,s,3,2,1,100,100,done\nP1,s,3,2,2,10,,broken\nP1,s,3,2,3,10,,missed\n";
    let t = read(numbered).unwrap();
    assert_eq!((t.cells[0].trials.len(), t.left_out[0]), (3, 2));
    assert!(t.notes.join("\n").contains("status other than done or missed: line 5"));
    let bare = "participant,condition,load,target_deg,response_deg\nP1,s,1,100,101\nP1,s,1,100,101\n";
    assert_eq!(read(bare).unwrap().cells[0].trials.len(), 2);
}

#[test]
fn a_bids_file_says_its_participant_in_its_name() {
    let text = "trial_type\tload\ttarget_deg\tresponse_deg\tresponse_time\nsham\t4\t120\tn/a\tn/a\nsham\t4\t20\t25\t0.7\n";
    let t = read_as("sub-07_ses-2_task-wm_beh.tsv", text, &Layout::default()).unwrap();
    assert_eq!((t.cells[0].participant.as_str(), t.cells[0].condition.as_str()), ("07", "sham"));
    assert_eq!((t.cells[0].trials[0].response_deg, t.cells[0].trials[1].rt_s), (None, Some(0.7)));
}

#[test]
fn half_circles_are_doubled_and_absent_cells_are_told() {
    let layout = Layout { half_circle: true, ..Layout::default() };
    let t = read_as("t.csv", &format!("{HEAD}P1,s,3,100,170,,\nP1,s,3,10,200,,\n"), &layout).unwrap();
    assert_eq!((t.cells[0].trials[0].response_deg, t.left_out[0]), (Some(340.0), 1));
    let mut t =
        read(&format!("{HEAD}P1,a,3,100,10,,\nP1,b,5,100,10,,\nP1,a,5,100,10,,\nP2,a,4,100,10,,\n")).unwrap();
    t.complete();
    assert_eq!(t.notes, ["participant P1: no trial of condition b at load 3"]);
    assert_eq!(t.cells.len(), 5);
}
