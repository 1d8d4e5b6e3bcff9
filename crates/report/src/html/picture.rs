//! The network before and after, as a picture and in words.

use std::fmt::Write;

use plumb_topology::{CLASSES, Network, Sign, VIEWS, layout, rows, svg};

use super::escape::escaped;

/// The section; nothing if there is no network.
pub(super) fn section(network: &Network) -> String {
    if network.is_empty() {
        return String::new();
    }
    let rows = rows(network);
    let changed = rows.iter().any(|it| it.sign != Sign::Keep);
    let mut out = format!("<p>{}</p>\n<div class=\"picture\">\n", escaped(&network.summary()));
    if changed {
        out.push_str("<fieldset class=\"views\"><legend>Show</legend>\n");
        for (index, (class, name)) in VIEWS.iter().enumerate() {
            let checked = if index == 0 { " checked" } else { "" };
            let _ = writeln!(
                out,
                "<label><input type=\"radio\" name=\"view\" class=\"{class}\"{checked}> \
                 {name}</label>"
            );
        }
        out.push_str("</fieldset>\n");
        legend(&rows.iter().map(|it| it.sign).collect::<Vec<_>>(), &mut out);
    }
    let title = if changed { "Topology before and after" } else { "Topology" };
    let drawn = svg(&layout(network), "picture", title);
    // It scrolls where it is wider than the page, also by keyboard.
    let _ = write!(
        out,
        "<div class=\"canvas\" role=\"region\" aria-label=\"Picture of the topology\" \
         tabindex=\"0\">\n{drawn}</div>\n</div>\n<details class=\"words\"><summary>The picture in \
         words</summary>\n<div class=\"wide\" role=\"region\" aria-label=\"The picture in words\" \
         tabindex=\"0\">\n<table><thead><tr><th scope=\"col\">Change</th><th scope=\"col\">What</th>\
         <th scope=\"col\">Name</th><th scope=\"col\">In</th><th scope=\"col\">Addresses</th>\
         <th scope=\"col\">Notes</th><th scope=\"col\">Resource</th></tr></thead><tbody>\n"
    );
    for row in rows {
        let _ = writeln!(
            out,
            "<tr><td>{} {}</td><td>{}</td><th scope=\"row\">{}</th><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td></tr>",
            row.sign.symbol(),
            if row.sign == Sign::Keep { "" } else { row.sign.word() },
            escaped(&row.noun),
            escaped(&row.name),
            escaped(&row.within),
            escaped(&row.addresses),
            escaped(&row.notes),
            escaped(&row.resource),
        );
    }
    out.push_str("</tbody></table></div></details>\n");
    out
}

/// What the signs mean, of those that occur.
fn legend(signs: &[Sign], out: &mut String) {
    out.push_str("<ul class=\"topology-legend\" aria-label=\"Signs\">\n");
    for sign in Sign::ALL.iter().filter(|it| signs.contains(it)) {
        let class = CLASSES.iter().find(|it| it.0 == *sign).map_or("", |it| it.1);
        let _ = writeln!(
            out,
            "<li class=\"{class}\"><span class=\"mark\" aria-hidden=\"true\">{}</span> {}</li>",
            sign.symbol(),
            sign.word()
        );
    }
    out.push_str("</ul>\n");
}
