//! Git over HTTPS from `git http-backend`, and over SSH from a real server, on loopback.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::world::{World, keep, run};

const PASSWORD: &str = "pa55-w0rd-0f-git";

/// A smart HTTPS server for the repositories of a folder; how many requests had the right password.
fn https(world: &World) -> (String, Arc<AtomicUsize>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    world.write("ca.pem", &made.cert.pem());
    let certificate = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/origin.git", listener.local_addr().unwrap().port());
    let served = Arc::new(AtomicUsize::new(0));
    let (root, count) = (world.path("."), served.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, root, count) = (config.clone(), root.clone(), count.clone());
            std::thread::spawn(move || {
                let connection = rustls::ServerConnection::new(config).unwrap();
                serve(rustls::StreamOwned::new(connection, stream), &root, &count);
            });
        }
    });
    (url, served)
}

type Tls = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;

/// One request of a connection, through the CGI program that comes with git.
fn serve(stream: Tls, root: &std::path::Path, count: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() || line.is_empty() {
        return;
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let mut headers = std::collections::BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let mut stream = reader.into_inner();
    let account = base64::engine::general_purpose::STANDARD.encode(format!("oauth2:{PASSWORD}"));
    if header("authorization") != format!("Basic {account}") {
        let answer = "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm=\"git\"\r\n\
                      content-length: 0\r\nconnection: close\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes());
        return;
    }
    count.fetch_add(1, Ordering::Relaxed);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let exec_path = run({
        let mut it = Command::new("git");
        it.arg("--exec-path");
        it
    });
    let mut child = Command::new(format!("{}/git-http-backend", exec_path.trim()))
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", method)
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_USER", "oauth2")
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&body).unwrap();
    let out = child.wait_with_output().unwrap().stdout;
    let end = out.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&out[..end]).into_owned();
    let status =
        head.lines().find_map(|it| it.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let rest: Vec<&str> = head.lines().filter(|it| !it.starts_with("Status:")).collect();
    let head = format!(
        "HTTP/1.1 {status}\r\n{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        rest.join("\r\n"),
        out.len() - end - 4
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&out[end + 4..]));
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

#[test]
fn https_with_a_password() {
    let mut world = World::new("auto", &keep("a", "1"));
    let (url, served) = https(&world);
    world.url = url;
    let policy = "policy {\n mode = \"auto\"\n}";
    world.config(policy);
    let certificates = world.path("ca.pem").display().to_string();
    world.env = vec![("GIT_PASSWORD".to_owned(), PASSWORD.to_owned())];
    // Nobody vouches for it.
    assert!(world.round(1).contains("The repository could not be asked"));
    world.env.push(("SSL_CERT_FILE".to_owned(), certificates));
    // It wants to know who asks.
    assert!(world.round(1).contains("The repository could not be asked"));
    assert_eq!(served.load(Ordering::Relaxed), 0);
    world.config(&format!("credentials {{\n password_env = \"GIT_PASSWORD\"\n}}\n{policy}"));
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("1"));
    assert!(served.load(Ordering::Relaxed) > 0);
    // What is there already is not fetched again, what is new is.
    world.commit(&keep("a", "2"));
    world.commit(&keep("a", "3"));
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("3"));
    world.round(0);
    run(world.git(&["push", "-q", "origin", "HEAD:other", ":main"]));
    assert!(world.round(1).contains("The repository has no main"));
    run(world.git(&["push", "-q", "origin", "HEAD:main"]));
    run(world.git(&["tag", "-a", "-m", "A release", "v1.0.0"]));
    run(world.git(&["push", "-q", "--tags", "origin"]));
    let ran = world.once(&["-tag=v*"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    world.write("password", "wrong-wrong-wrong\n");
    world.config(&format!("credentials {{\n password_file = \"password\"\n}}\n{policy}"));
    let said = world.round(1);
    assert!(said.contains("The repository could not be asked"), "{said}");
    assert!(!said.contains("wrong-wrong"), "{said}");
    // What was fetched is enough to look for drift.
    assert!(said.contains("nothing to do"), "{said}");
}

#[test]
fn approvals_come_over_https() {
    let mut world = World::new("approve", &keep("a", "1"));
    let (url, _) = https(&world);
    world.url = url;
    world.config(
        "credentials {\n password_env = \"GIT_PASSWORD\"\n}\n policy {\n mode = \"approve\"\n approvers = \
         \"approvers\"\n approvals_branch = \"approvals\"\n}",
    );
    let certificates = world.path("ca.pem").display().to_string();
    world.env = vec![
        ("GIT_PASSWORD".to_owned(), PASSWORD.to_owned()),
        ("SSL_CERT_FILE".to_owned(), certificates),
    ];
    world.round(2);
    let message = format!("plan: {}", world.digest());
    run(world.git_as("bob", &["tag", "-s", "plumb-approve/one", "-m", &message]));
    run(world.git(&["push", "-q", "origin", "plumb-approve/one"]));
    let said = world.round(0);
    assert!(said.contains("is approved by bob@example.org"), "{said}");
}

/// A server for SSH, with keys of its own.
struct Sshd {
    child: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sshd(world: &World) -> Sshd {
    run(world.command("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "host_key"]));
    fs::copy(world.path("ann.pub"), world.path("authorized_keys")).unwrap();
    // Freed again at once; whoever takes it in between makes the test fail, not pass.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = |name: &str| world.path(name).display().to_string();
    world.write(
        "sshd_config",
        &format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes \
             no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin \
             prohibit-password\nUsePAM no\nPidFile none\nAcceptEnv GIT_PROTOCOL\nForceCommand env \
             GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' PATH=/usr/local/bin:/usr/bin:/bin sh -c \
             \"$SSH_ORIGINAL_COMMAND\"\n",
            at("host_key"),
            at("authorized_keys"),
        ),
    );
    let _ = fs::create_dir_all("/run/sshd");
    let log = fs::File::create(world.path("sshd.log")).unwrap();
    let child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f", &at("sshd_config")])
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    let server = Sshd { child, port };
    world.until_so("the SSH server answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let key = fs::read_to_string(world.path("host_key.pub")).unwrap();
    world.write("known_hosts", &format!("[127.0.0.1]:{port} {key}"));
    server
}

#[test]
fn ssh_with_a_key() {
    let mut world = World::new("auto", &keep("a", "1"));
    let server = sshd(&world);
    let repository = world.path("origin.git").display().to_string();
    world.url = format!("ssh://root@127.0.0.1:{}{repository}", server.port);
    let config = |key: &str| {
        world.config(&format!(
            "credentials {{\n ssh_key = {key:?}\n ssh_known_hosts = \"known_hosts\"\n}}\n policy {{\n mode \
             = \"auto\"\n}}"
        ));
    };
    config("eve");
    let said = world.round(1);
    assert!(said.contains("The repository could not be asked"), "{said}");
    config("ann");
    let ran = world.once(&[]);
    let log = fs::read_to_string(world.path("sshd.log")).unwrap();
    assert_eq!(ran.code, 0, "{}\n{log}", ran.said);
    assert_eq!(world.kept("a").as_deref(), Some("1"));
    world.commit(&keep("a", "2"));
    world.round(0);
    assert_eq!(world.kept("a").as_deref(), Some("2"));
    // Another host answers in its place.
    world.write("known_hosts", "");
    assert!(world.round(1).contains("The repository could not be asked"));
}
