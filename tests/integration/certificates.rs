//! Servers that TLS refuses: every message names the fault and its remedy, and none the network.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use ringside::datasource::{DataSources, Environment, Trigger};
use ringside::oura::{Origins, Secret};
use ringside::time::Clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use crate::common::secret_scanner;
use crate::common::world::{REDIRECT, World, synced};

/// A server that TLS refuses.
struct Case {
    /// The file of the certificate. `None` for a server without TLS.
    certificate: Option<&'static str>,
    /// Whether this machine knows the authority.
    is_authority_known: bool,
    /// Parts of each message: the fault and the remedy.
    parts: [&'static str; 2],
}

const CASES: [Case; 5] = [
    Case {
        certificate: Some("valid.pem"),
        is_authority_known: false,
        parts: ["no known certificate authority signed", "set ca_file (GF_PLUGIN_CA_FILE)"],
    },
    Case {
        certificate: Some("expired.pem"),
        is_authority_known: true,
        parts: ["localhost has expired: it is valid until 2021-01-01", "Correct the date"],
    },
    Case {
        certificate: Some("not_yet_valid.pem"),
        is_authority_known: true,
        parts: ["localhost is not valid yet: it is valid from 2119-01-01", "Correct the date"],
    },
    Case {
        certificate: Some("other_name.pem"),
        is_authority_known: true,
        parts: ["other names: DnsName(\"proxy.example\")", "check DNS and the proxy"],
    },
    Case {
        certificate: None,
        is_authority_known: true,
        parts: ["no TLS connection to localhost", "offer TLS 1.2 or 1.3"],
    },
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// Starts a server that answers every connection with status 404, and returns its address.
async fn serve(certificate: Option<&str>) -> Url {
    let acceptor = certificate.map(|name| {
        let chain = CertificateDer::pem_file_iter(fixture(name)).unwrap();
        let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    });
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                match acceptor {
                    None => answer(stream).await,
                    // A client that refuses the certificate ends the connection.
                    Some(acceptor) => match acceptor.accept(stream).await {
                        Ok(stream) => answer(stream).await,
                        Err(_) => Ok(()),
                    },
                }
            });
        }
    });
    address.parse().unwrap()
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await?;
    stream.shutdown().await
}

/// The output of `doctor` against `address` with one variable.
fn doctor(folder: &Path, address: &Url, variable: (&str, &Path)) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gpx_oura"))
        .arg("doctor")
        .arg("--data-dir")
        .arg(folder)
        .args(["--oura-url", address.as_str()])
        .env(variable.0, variable.1)
        .output()
        .unwrap();
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    secret_scanner::scan(&text);
    let text = String::from_utf8(text).unwrap();
    (text.contains("is reachable"), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_names_the_certificate_and_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    for Case { certificate, is_authority_known, parts } in CASES {
        let address = serve(certificate).await;
        let authority = if is_authority_known { fixture("authority.pem") } else { PathBuf::new() };
        let (reached, text) = doctor(folder.path(), &address, ("GF_PLUGIN_CA_FILE", &authority));
        assert!(!reached && parts.iter().all(|part| text.contains(part)), "{text}");
        assert!(!text.contains("Check the network"), "{text}");
    }
    // With the authority, the same server is reached.
    let address = serve(Some("valid.pem")).await;
    let authorities = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("authority.pem"), authorities.path().join("authority.pem")).unwrap();
    for (variable, path) in [
        ("GF_PLUGIN_CA_FILE", fixture("authority.pem")),
        ("SSL_CERT_FILE", fixture("authority.pem")),
        ("SSL_CERT_DIR", authorities.path().to_owned()),
    ] {
        let (reached, text) = doctor(folder.path(), &address, (variable, &path));
        assert!(reached, "{variable}: {text}");
    }
}

/// The environment of a data folder with Oura at `address`.
fn environment(world: &World, folder: &Path, address: &Url, knows_authority: bool) -> Environment {
    let mut builder = reqwest::Client::builder();
    if knows_authority {
        let pem = std::fs::read(fixture("authority.pem")).unwrap();
        builder = builder.add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap());
    }
    Environment {
        origins: Origins::at(address),
        http: builder.build().unwrap(),
        ..world.environment(folder)
    }
}

/// A sync with a valid token, a sync that renews its token, and a login.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncs_and_logins_name_the_certificate() {
    let clock = Clock::starting_at(Clock::system().now(), 60.0);
    let world = World::new(3, clock.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let datasources = DataSources::open(world.environment(folder.path())).unwrap();
    drop(world.connected(&datasources).await);
    datasources.shutdown().await;
    drop(datasources);
    for is_token_expired in [false, true] {
        if is_token_expired {
            clock.advance(60 * 86_400);
        }
        for Case { certificate, is_authority_known, parts } in CASES {
            let address = serve(certificate).await;
            let environment = environment(&world, folder.path(), &address, is_authority_known);
            let datasources = DataSources::open(environment).unwrap();
            let datasource = world.datasource(&datasources).await;
            datasource.start_sync(Trigger::Manual).unwrap();
            synced(&datasource).await;
            let failure = datasource.status().unwrap().sync.failure.unwrap();
            assert!(parts.iter().all(|part| failure.contains(part)), "{failure}");

            let start = datasource.start_login(&REDIRECT.parse().unwrap(), "ann").unwrap();
            let page: Url = start.authorize_url.parse().unwrap();
            let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1;
            let (code, state) = (Secret::new("code"), Secret::new(state.into_owned()));
            let error = datasource.finish_login(&code, &state, "ann").await.unwrap_err();
            let text = error.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
            assert_eq!((error.code(), error.hint().as_ref()), ("login_unreachable", ""));
            drop(datasource);
            datasources.shutdown().await;
        }
    }
}
