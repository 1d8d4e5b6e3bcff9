//! Whether one state may take another's place (`state push`).

use plumb_model::state::State;

/// Why not, in Terraform's words. `-force` overrules it.
pub fn refusal(current: &State, pushed: &State) -> Option<String> {
    if current.lineage.is_empty() || current.serial == 0 {
        return None;
    }
    if current.lineage != pushed.lineage {
        return Some(format!(
            "cannot import state with lineage \"{}\" over unrelated state with lineage \"{}\"",
            pushed.lineage, current.lineage
        ));
    }
    (pushed.serial < current.serial).then(|| {
        format!(
            "cannot import state with serial {} over newer state with serial {}",
            pushed.serial, current.serial
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_newer_state_of_the_same_lineage_takes_its_place() {
        let state =
            |lineage: &str, serial| State { lineage: lineage.into(), serial, ..State::default() };
        assert_eq!(refusal(&state("", 0), &state("b", 1)), None);
        assert_eq!(refusal(&state("a", 3), &state("a", 3)), None);
        let other = refusal(&state("a", 3), &state("b", 9)).expect("refused");
        assert!(other.contains("unrelated state with lineage \"a\""), "{other}");
        let older = refusal(&state("a", 3), &state("a", 2)).expect("refused");
        assert!(older.contains("over newer state with serial 3"), "{older}");
    }
}
