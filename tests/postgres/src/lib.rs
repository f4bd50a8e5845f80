//! A PostgreSQL server of a test's own: on a socket in a directory of its own, gone when it is dropped.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// Where Debian keeps the programs, one directory for each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The user as whom the server runs where the tests run as root, which it refuses.
const USER: &str = "postgres";

/// The port by which a pooler's socket is named.
const PORT: u16 = 6432;

/// The name under which a standby is known to its primary.
const STANDBY: &str = "standby";

/// Whether what was committed outlives a machine that loses its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As in production.
    Durable,
    /// Nothing is synced: for tests in which no machine loses its power.
    Unsynced,
}

/// How a server is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It ends its connections, and then itself.
    Fast,
    /// As if the machine had lost its power, but for the file system: what follows is a recovery.
    Immediate,
}

/// How much a standby has of what was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replication {
    /// What it had received before its primary was lost.
    Asynchronous,
    /// All of it: no commit is acknowledged before it is on the standby's disk.
    Synchronous,
}

/// A server. It listens on a socket only, unless it is told to listen on the loopback network too.
#[derive(Debug)]
pub struct Server {
    directory: TempDir,
    programs: PathBuf,
    as_user: bool,
    durability: Durability,
    network: Option<Network>,
}

/// Where else than on its socket a server listens.
#[derive(Debug)]
struct Network {
    port: u16,
    private: bool,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Server {
    /// Makes a cluster and starts it.
    ///
    /// # Errors
    /// Where PostgreSQL isn't installed, or doesn't start: with what it says.
    pub fn start(durability: Durability) -> Result<Self> {
        let server = Self::nothing(durability)?;
        let data = server.data();
        let made = server
            .program("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-A", "trust", "-U", USER, "-E", "UTF8"])
            .args(["--locale=C", "-N"])
            .output()?;
        if !made.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        server.resume()?;
        Ok(server)
    }

    /// Where its data and its socket are to be.
    fn nothing(durability: Durability) -> Result<Self> {
        // A short path: that of a socket has little room.
        let directory = tempfile::Builder::new().prefix("pg").tempdir()?;
        let as_user = run(Command::new("id").arg("-u"))?.trim() == "0";
        if as_user {
            run(Command::new("chown").arg(USER).arg(directory.path()))?;
        }
        Ok(Self { directory, programs: programs()?, as_user, durability, network: None })
    }

    /// Makes a standby of this server and starts it. There may be one.
    ///
    /// # Errors
    /// Where it can't be made, or doesn't start.
    pub fn standby(&self, replication: Replication) -> Result<Self> {
        if replication == Replication::Synchronous {
            self.tell(&format!("ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'"))?;
            self.tell("SELECT pg_reload_conf()")?;
        }
        let standby = Self::nothing(self.durability)?;
        let primary = format!("{} application_name={STANDBY}", self.address());
        let mut copy = standby.program("pg_basebackup");
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-d", &primary, "-D"]);
        run(copy.arg(standby.data()))?;
        // Once promoted it waits for nobody.
        let mut settings = OpenOptions::new().append(true).open(standby.data().join("postgresql.auto.conf"))?;
        settings.write_all(b"synchronous_standby_names = ''\n")?;
        standby.resume()?;
        Ok(standby)
    }

    /// Makes a server of a standby.
    ///
    /// # Errors
    /// Where it doesn't become one.
    pub fn promote(&self) -> Result<()> {
        self.control(&["promote", "-w"].map(OsStr::new))
    }

    /// The address of its database, in libpq's keywords.
    #[must_use]
    pub fn address(&self) -> String {
        let address = address(self.directory.path());
        match &self.network {
            None => address,
            Some(Network { port, .. }) => format!("{address} port={port}"),
        }
    }

    /// Has it listen on the loopback network too, at the port that is returned: with TLS under this certificate, or without.
    ///
    /// # Errors
    /// Where it doesn't start again.
    pub fn listen(&mut self, certified: Option<&Certified>) -> Result<u16> {
        self.stop(Ending::Fast)?;
        if let Some(Certified { certificate, key }) = certified {
            for (name, text) in [("server.crt", certificate), ("server.key", key)] {
                let path = self.data().join(name);
                std::fs::write(&path, text)?;
                std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
                if self.as_user {
                    run(Command::new("chown").arg(USER).arg(&path))?;
                }
            }
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        self.network = Some(Network { port, private: certified.is_some() });
        self.resume()?;
        Ok(port)
    }

    /// Runs statements as its owner: what the last one answers, without a heading.
    ///
    /// # Errors
    /// Where one of them fails: with what the server says.
    pub fn tell(&self, statements: &str) -> Result<String> {
        let mut program = self.program("psql");
        program.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.address(), "-c", statements]);
        Ok(run(&mut program)?.trim_end().to_owned())
    }

    /// Has its database say another time than the machine's, to those who connect from now on: so many seconds later.
    ///
    /// # Errors
    /// Where that fails.
    pub fn set_ahead(&self, seconds: i64) -> Result<()> {
        self.tell(&format!(
            "SET client_min_messages = error; CREATE SCHEMA IF NOT EXISTS told; \
             CREATE TABLE IF NOT EXISTS told.clock (is_only_row boolean PRIMARY KEY DEFAULT true, ahead interval); \
             INSERT INTO told.clock (ahead) VALUES ('{seconds} seconds') \
             ON CONFLICT (is_only_row) DO UPDATE SET ahead = excluded.ahead; \
             CREATE OR REPLACE FUNCTION told.clock_timestamp() RETURNS timestamptz LANGUAGE sql \
             AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM told.clock'; \
             ALTER DATABASE {USER} SET search_path = told, pg_catalog, public"
        ))
        .map(drop)
    }

    /// Makes another database in it: its address.
    ///
    /// # Errors
    /// Where that fails.
    pub fn database(&self, name: &str) -> Result<String> {
        let mut program = self.program("createdb");
        run(program.arg("-h").arg(self.directory.path()).args(["-U", USER, name]))?;
        Ok(address_of(self.directory.path(), name))
    }

    /// Ends the server; its data stays.
    ///
    /// # Errors
    /// Where it doesn't end.
    pub fn stop(&self, ending: Ending) -> Result<()> {
        let mode = match ending {
            Ending::Fast => "fast",
            Ending::Immediate => "immediate",
        };
        self.control(&["stop", "-w", "-m", mode].map(OsStr::new))
    }

    /// Starts it again.
    ///
    /// # Errors
    /// Where it doesn't start.
    pub fn resume(&self) -> Result<()> {
        let sync = match self.durability {
            Durability::Durable => "on",
            Durability::Unsynced => "off",
        };
        let network = match &self.network {
            None => "-c listen_addresses=".to_owned(),
            Some(Network { port, private }) => {
                let private = if *private { "on" } else { "off" };
                format!("-c listen_addresses=127.0.0.1 -c port={port} -c ssl={private}")
            }
        };
        let options = format!(
            "{network} -c unix_socket_directories={} -c fsync={sync} -c full_page_writes={sync} \
             -c max_connections=200 -c shared_buffers=64MB",
            self.directory.path().display()
        );
        let log = self.directory.path().join("log");
        let started = self.control(&[
            OsStr::new("start"),
            OsStr::new("-w"),
            OsStr::new("-l"),
            log.as_os_str(),
            OsStr::new("-o"),
            OsStr::new(&options),
        ]);
        started.with_context(|| std::fs::read_to_string(&log).unwrap_or_default())
    }

    /// The directory of its data.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn control(&self, arguments: &[&OsStr]) -> Result<()> {
        // What it starts would keep a pipe open.
        let mut command = self.program("pg_ctl");
        command.arg("-D").arg(self.data()).args(arguments);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        if !status.success() {
            bail!("pg_ctl {}: {status}", arguments.first().copied().unwrap_or_default().display());
        }
        Ok(())
    }

    fn program(&self, name: &str) -> Command {
        self.as_server(self.programs.join(name).as_os_str())
    }

    /// A program that runs as whom the server runs.
    fn as_server(&self, program: &OsStr) -> Command {
        let mut command = if self.as_user {
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--init-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _ = self.stop(Ending::Immediate);
    }
}

/// The address of the database at a socket in this directory.
fn address(directory: &Path) -> String {
    address_of(directory, USER)
}

fn address_of(directory: &Path, database: &str) -> String {
    format!("host={} user={USER} dbname={database}", directory.display())
}

/// A name by which a server is found, and that another server can be given.
#[derive(Debug)]
pub struct Name(TempDir);

impl Name {
    /// A name for this server.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn of(server: &Server) -> Result<Self> {
        let name = Self(tempfile::Builder::new().prefix("pn").tempdir()?);
        name.give(server)?;
        Ok(name)
    }

    /// Whoever connects from now on finds this server.
    ///
    /// # Errors
    /// Where it can't be given.
    pub fn give(&self, server: &Server) -> Result<()> {
        let next = self.0.path().join("next");
        std::os::unix::fs::symlink(server.directory.path(), &next)?;
        Ok(std::fs::rename(next, self.server())?)
    }

    /// The address of the server that has it.
    #[must_use]
    pub fn address(&self) -> String {
        address(&self.server())
    }

    fn server(&self) -> PathBuf {
        self.0.path().join("server")
    }
}

/// The directory with `initdb` and `pg_ctl`: of the newest version that is there.
fn programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut candidates: Vec<PathBuf> = versions.collect();
    candidates.sort_by_key(|path| {
        let version = path.parent().and_then(Path::file_name).and_then(OsStr::to_str);
        version.and_then(|version| version.parse::<u32>().ok())
    });
    if let Some(path) = std::env::var_os("PATH") {
        candidates.splice(0..0, std::env::split_paths(&path));
    }
    let complete = |path: &PathBuf| path.join("initdb").is_file() && path.join("pg_ctl").is_file();
    candidates.into_iter().rev().find(complete).context(
        "PostgreSQL isn't installed: `apt-get install postgresql`, or what your system calls the package with `initdb`",
    )
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("running {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A pooler before a server, which hands each transaction to whatever connection is free.
#[derive(Debug)]
pub struct Pooler {
    directory: TempDir,
    process: Child,
}

impl Pooler {
    /// Starts pgbouncer in transaction mode.
    ///
    /// # Errors
    /// Where it isn't installed, or doesn't start.
    pub fn start(server: &Server) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("pb").tempdir()?;
        let (socket, target) = (directory.path().display(), server.directory.path().display());
        let configuration = format!(
            "[databases]\n* = host={target} user={USER}\n\n[pgbouncer]\npool_mode = transaction\nauth_type = any\n\
             listen_port = {PORT}\nunix_socket_dir = {socket}\nmax_client_conn = 500\ndefault_pool_size = 3\n"
        );
        let file = directory.path().join("pgbouncer.ini");
        std::fs::write(&file, configuration)?;
        if server.as_user {
            run(Command::new("chown").args(["-R", USER]).arg(directory.path()))?;
        }
        let mut command = server.as_server(OsStr::new("pgbouncer"));
        let mut process = command.arg(&file).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut said = BufReader::new(process.stderr.take().context("its log")?).lines();
        let mut log = Vec::new();
        for line in said.by_ref() {
            log.push(line?);
            if log.last().is_some_and(|line| line.contains("process up")) {
                // What nobody reads would stop it.
                std::thread::spawn(move || said.for_each(drop));
                return Ok(Self { directory, process });
            }
        }
        bail!("pgbouncer ended: {}", log.join("; "))
    }

    /// The address of the server's database behind it.
    #[must_use]
    pub fn address(&self) -> String {
        format!("host={} port={PORT} user={USER} dbname={USER}", self.directory.path().display())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
