//! Metrics and probes of a running `plumb watch`.

/// Status and body.
pub(crate) fn get(port: u16, path: &str) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    match agent.get(format!("http://127.0.0.1:{port}{path}")).call() {
        Ok(mut response) => {
            (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
        }
        Err(error) => (0, error.to_string()),
    }
}

/// The value of one line of the metrics.
#[track_caller]
pub(crate) fn metric(port: u16, name: &str) -> f64 {
    let (_, text) = get(port, "/metrics");
    let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

/// Reads metrics as strictly as Prometheus does: help and type before every metric, names and labels well formed.
pub(crate) fn well_formed(text: &str) {
    let sample = regex::Regex::new(
        r#"^([a-z_]+)(\{[a-z_]+="(\\.|[^"\\])*"(,[a-z_]+="(\\.|[^"\\])*")*\})? (\S+)$"#,
    );
    let sample = sample.unwrap();
    assert!(text.ends_with('\n'));
    let (mut helped, mut typed) = (String::new(), (String::new(), String::new()));
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            helped = rest.split(' ').next().unwrap().to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, helped);
            assert!(matches!(kind, "counter" | "gauge"), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            typed = (name.to_owned(), kind.to_owned());
        } else {
            let parts = sample.captures(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(&parts[1], typed.0, "{line}");
            assert!(parts[6].parse::<f64>().is_ok(), "{line}");
            assert!(seen.insert(line.rsplit_once(' ').unwrap().0.to_owned()), "twice: {line}");
        }
    }
    assert!(seen.len() > 20, "{text}");
}
