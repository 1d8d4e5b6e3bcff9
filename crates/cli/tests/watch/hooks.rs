//! Webhooks: signed, sent again, and never in the way.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::watcher::{LAB, Watcher, injure};
use crate::world::{USERS, World};

const SECRET: &str = "correct horse battery staple";

#[derive(Debug)]
struct Delivery {
    id: String,
    time: String,
    signature: Option<String>,
    body: String,
}

/// Takes deliveries; the first are answered with these codes, all others with 204.
fn server(codes: &'static [u16]) -> (u16, Receiver<Delivery>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, deliveries) = channel();
    // Ends with the process.
    std::thread::spawn(move || {
        let mut codes = codes.iter();
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut head = Vec::new();
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 0 && line != "\r\n" {
                head.push(std::mem::take(&mut line));
            }
            let header = |name: &str| {
                let found = head.iter().filter_map(|it| it.split_once(": "));
                let mut found = found.filter(|it| it.0.eq_ignore_ascii_case(name));
                found.next().map(|it| it.1.trim().to_owned())
            };
            let Some(length) = header("Content-Length") else { continue };
            let mut body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let delivery = Delivery {
                id: header("X-Plumb-Delivery").unwrap(),
                time: header("X-Plumb-Timestamp").unwrap(),
                signature: header("X-Plumb-Signature-256"),
                body: String::from_utf8(body).unwrap(),
            };
            let code = codes.next().copied().unwrap_or(204);
            let answer =
                format!("HTTP/1.1 {code} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = reader.get_mut().write_all(answer.as_bytes());
            if sender.send(delivery).is_err() {
                return;
            }
        }
    });
    (port, deliveries)
}

fn verified(delivery: &Delivery) -> Value {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let given = delivery.signature.as_ref().unwrap().strip_prefix("sha256=").unwrap();
    let given: Vec<u8> = (0..given.len())
        .step_by(2)
        .map(|it| u8::from_str_radix(&given[it..it + 2], 16).unwrap())
        .collect();
    let signed = format!("{}.{}", delivery.time, delivery.body);
    ring::hmac::verify(&key, signed.as_bytes(), &given).expect("the signature is right");
    serde_json::from_str(&delivery.body).unwrap()
}

#[test]
fn what_happens_is_posted_signed_and_again_after_a_failure() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    let (port, deliveries) = server(&[500, 503]);
    let secret = world.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let (url, file) = (format!("-webhook=http://127.0.0.1:{port}/"), secret.display().to_string());
    let file = format!("-webhook-secret-file={file}");
    let mut watcher = Watcher::start(&world, &[&*url, &*file]);
    let next = || deliveries.recv_timeout(Duration::from_secs(10)).unwrap();
    let tries = [next(), next(), next()];
    assert!(tries.iter().all(|it| it.id == tries[0].id && it.body == tries[0].body), "{tries:?}");
    let first = verified(&tries[2]);
    assert_eq!(
        (&first["event"], &first["status"]),
        (&"status".into(), &"in_sync".into()),
        "{first}"
    );
    injure(&world, "netns_host.web", "kill -9 2");
    let delivery = next();
    let drifted = verified(&delivery);
    assert_ne!(delivery.id, tries[0].id);
    assert_eq!(drifted["event"], "drifted");
    assert_eq!(drifted["details"]["finding"]["address"], "netns_host.web", "{drifted}");
    assert_eq!(drifted["workspace"], "default");
    // What `drift -json` says of it, but for the moment at which it was first seen.
    let report = world.run(&["drift", "-json"]).stdout;
    let report: Value = serde_json::from_slice(&report).unwrap();
    let mut said = report["findings"][0].clone();
    said["first_seen"] = drifted["details"]["finding"]["first_seen"].clone();
    assert_eq!(drifted["details"]["finding"], said);
    watcher.finds("netns_host.web");
    // A secret in the environment does as well.
    drop(watcher);
    let mut command = world.command(&["watch", "-json", &url]);
    while deliveries.recv_timeout(Duration::from_secs(2)).is_ok() {}
    let _watcher = Watcher::of(command.env("PLUMB_WEBHOOK_SECRET", SECRET));
    assert_eq!(verified(&next())["event"], "drifted");
    world.apply();
    world.end();
}

#[test]
fn somebody_who_does_not_answer_holds_nothing_up() {
    let world = World::new(USERS[0], LAB);
    world.apply();
    // Takes connections, and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("-webhook=http://{}/", listener.local_addr().unwrap());
    let mut watcher = Watcher::start(&world, &["-repair", &url]);
    for _ in 0..3 {
        injure(&world, "netns_host.web", "kill -9 2");
        watcher.finds("netns_host.web");
        watcher.repairs("netns_host.web");
    }
    watcher.end();
    world.end();
}
