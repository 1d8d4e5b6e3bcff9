//! "Did you mean …?"

/// The first of `candidates` that is `given` with a typing mistake or two.
pub fn suggest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates.into_iter().find(|candidate| distance(given, candidate) < 3)
}

/// How many letters have to be put in, taken out or replaced; no more than three are counted.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return 3;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = corner + usize::from(from != to);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()].min(3)
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn small_mistakes_are_understood() {
        let words = ["resource", "data", "image"];
        assert_eq!(suggest("resorce", words), Some("resource"));
        assert_eq!(suggest("imgae", words), Some("image"));
        assert_eq!(suggest("dtaa", words), Some("data"));
        assert_eq!(suggest("network", words), None);
        assert_eq!(suggest("", words), None);
    }
}
