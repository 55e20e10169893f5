"""Webhooks against a real server on this machine: what it is sent, when, and when not."""

import hashlib
import hmac
import json
import multiprocessing
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlmodel import col, select

from api import posting
from api.columns import now
from api.db import Database
from api.posting import forbidden
from api.tables import Delivery, Run, RunState, Share, User, Webhook
from api.webhooks import PAUSES, Messenger, deliver
from tests.service_factory import People, people
from tests.service_site import site_in

SECRET = "5ec2e7" * 8
PROCESSES = multiprocessing.get_context("forkserver")


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent, answers with `status`, and leads away where that is a redirect."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = 204
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.answers = threading.Event()
        """Not set: it keeps whoever sends waiting."""
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}/hook?key=1"


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.path, headers, body))
        if not self.server.answers.wait(30):
            return
        self.send_response(self.server.status)
        self.send_header("location", "/elsewhere")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A web server that takes messages."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def hook(database: Database, owner: User, url: str, **changes: object) -> Webhook:
    """A webhook that is an hour old."""
    row = Webhook(user_id=owner.id, url=url, secret=SECRET, created=now() - timedelta(hours=1))
    with database.system("test") as session:
        session.add(row.sqlmodel_update(changes))
    return row


def end(database: Database, run: Run, *, ago: timedelta = timedelta(minutes=1)) -> None:
    """The run has ended."""
    with database.system("test") as session:
        row = session.get_one(Run, run.id)
        row.ended, row.state = now() - ago, RunState.DONE.value


def delivery(database: Database) -> Delivery:
    """The only one there is."""
    with database.system("test") as session:
        return session.exec(select(Delivery)).one()


def test_the_owner_is_told_once_and_can_check_who_told(
    database: Database, people: People, receiver: Receiver
) -> None:
    hook(database, people.teacher, receiver.url)
    assert deliver(database, allow_loopback=True) == 0  # the run has no end
    end(database, people.run)
    assert deliver(database, allow_loopback=True) == 1
    assert deliver(database, allow_loopback=True) == 0
    ((path, headers, body),) = receiver.received
    told = json.loads(body)
    row = delivery(database)
    assert path == "/hook?key=1"
    assert headers["host"] == f"localhost:{receiver.server_port}"  # the name, not the address
    assert headers["content-type"] == "application/json"
    assert told["event"] == "run.ended"
    assert told["id"] == row.id
    assert set(told) == {"event", "id", "run"}
    assert set(told["run"]) == {"id", "lesson_id", "state", "created", "ended"}
    assert (told["run"]["id"], told["run"]["lesson_id"]) == (people.run.id, people.lesson.id)
    assert told["run"]["state"] == "done"
    assert told["run"]["ended"].endswith("Z")
    # As the receiver checks it: HMAC-SHA256 of "t.body" with the secret.
    parts = dict(part.split("=") for part in headers["observer-signature"].split(","))
    signed = parts["t"].encode() + b"." + body
    assert parts["v1"] == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert abs(int(parts["t"]) - now().timestamp()) < 30
    assert (row.attempts, row.status, row.due) == (1, 204, None)
    assert row.arrived is not None


def test_only_who_sees_the_lesson_is_told(
    database: Database, people: People, receiver: Receiver
) -> None:
    end(database, people.run)
    hook(database, people.colleague, receiver.url)
    hook(database, people.administrator, receiver.url)
    assert deliver(database, allow_loopback=True) == 0
    with database.system("test") as session:
        session.add(Share(lesson_id=people.lesson.id, user_id=people.colleague.id))
    assert deliver(database, allow_loopback=True) == 1


def test_a_share_that_is_withdrawn_between_two_attempts_ends_the_telling(
    database: Database, people: People, receiver: Receiver
) -> None:
    end(database, people.run)
    hook(database, people.colleague, receiver.url)
    share = Share(lesson_id=people.lesson.id, user_id=people.colleague.id)
    with database.system("test") as session:
        session.add(share)
    receiver.status = 500
    deliver(database, allow_loopback=True)
    with database.system("test") as session:
        session.delete(session.get_one(Share, share.id))
    receiver.status = 204
    assert deliver(database, allow_loopback=True, moment=now() + timedelta(hours=1)) == 0
    assert len(receiver.received) == 1
    assert delivery(database).due is None


@pytest.fixture
def school(sqlite_database: Database) -> People:
    """The district, for what is not about the database."""
    return people(sqlite_database)


def test_a_failure_is_tried_again_after_growing_pauses_and_then_given_up(
    sqlite_database: Database, school: People, receiver: Receiver
) -> None:
    """Pauses of 1, 5, 30, 120, 360 and 1440 minutes are seven attempts, 32 h 36 min in all."""
    end(sqlite_database, school.run)
    hook(sqlite_database, school.teacher, receiver.url)
    receiver.status = 503
    moment = start = now()
    for number, pause in enumerate(PAUSES, 1):
        assert deliver(sqlite_database, allow_loopback=True, moment=moment) == 0
        row = delivery(sqlite_database)
        assert (row.attempts, row.status, row.due) == (number, 503, moment + pause)
        early = moment + pause - timedelta(seconds=1)
        deliver(sqlite_database, allow_loopback=True, moment=early)
        assert len(receiver.received) == number  # not before its time
        moment += pause
    assert moment - start == timedelta(hours=32, minutes=36)
    deliver(sqlite_database, allow_loopback=True, moment=moment)
    row = delivery(sqlite_database)
    assert (row.attempts, row.due, row.arrived) == (7, None, None)
    deliver(sqlite_database, allow_loopback=True, moment=moment + timedelta(days=2))
    assert len(receiver.received) == 7
    assert len({json.loads(body)["id"] for _, _, body in receiver.received}) == 1


def test_the_second_attempt_may_succeed(
    sqlite_database: Database, school: People, receiver: Receiver
) -> None:
    end(sqlite_database, school.run)
    hook(sqlite_database, school.teacher, receiver.url)
    receiver.status = 500
    assert deliver(sqlite_database, allow_loopback=True) == 0
    receiver.status = 200
    assert deliver(sqlite_database, allow_loopback=True, moment=now() + timedelta(minutes=2)) == 1
    assert delivery(sqlite_database).attempts == 2


def deliver_in_a_process(database_url: str) -> None:
    """The body of a process that is killed while it waits for an answer."""
    deliver(Database(database_url), allow_loopback=True)


@pytest.mark.parametrize("then", [204, 503])
def test_killed_in_the_last_attempt_the_message_is_sent_once_more(
    database: Database, people: People, receiver: Receiver, then: int
) -> None:
    """Only an attempt that has ended can be the last; the next is as far away as the longest."""
    hook(database, people.teacher, receiver.url)
    end(database, people.run)
    receiver.status = 503
    deliver(database, allow_loopback=True)
    with database.system("test") as session:
        row = session.exec(select(Delivery)).one()
        row.attempts, row.due = len(PAUSES), now()  # six have failed
    receiver.answers.clear()
    process = PROCESSES.Process(target=deliver_in_a_process, args=(database.url,))
    process.start()
    until = time.monotonic() + 40
    while len(receiver.received) < 2:
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.join()
    receiver.answers.set()
    killed = delivery(database)
    assert (killed.attempts, killed.arrived) == (7, None)
    assert killed.due is not None
    assert timedelta(hours=23, minutes=58) < killed.due - now() <= PAUSES[-1]
    receiver.status = then
    assert deliver(database, allow_loopback=True, moment=killed.due) == (then == 204)
    after = delivery(database)
    assert (after.attempts, after.due, after.arrived is not None) == (8, None, then == 204)


def test_redirects_are_not_followed(
    sqlite_database: Database, school: People, receiver: Receiver
) -> None:
    end(sqlite_database, school.run)
    hook(sqlite_database, school.teacher, receiver.url)
    receiver.status = 302
    assert deliver(sqlite_database, allow_loopback=True) == 0
    assert [path for path, *_ in receiver.received] == ["/hook?key=1"]
    assert delivery(sqlite_database).status == 302


def test_old_ends_switched_off_hooks_and_people_who_left_are_not_told(
    sqlite_database: Database, school: People, receiver: Receiver
) -> None:
    old = {"created": now() - timedelta(days=30)}
    hook(sqlite_database, school.teacher, receiver.url, **old)
    end(sqlite_database, school.run, ago=timedelta(days=8))
    assert deliver(sqlite_database, allow_loopback=True) == 0  # longer ago than a week
    with sqlite_database.system("test") as session:
        session.exec(select(Webhook)).one().created = now()
    end(sqlite_database, school.run, ago=timedelta(minutes=1))
    assert deliver(sqlite_database, allow_loopback=True) == 0  # before there was a webhook
    with sqlite_database.system("test") as session:
        row = session.exec(select(Webhook)).one()
        row.created, row.active = now() - timedelta(days=1), False
    assert deliver(sqlite_database, allow_loopback=True) == 0
    with sqlite_database.system("test") as session:
        session.exec(select(Webhook)).one().active = True
        session.get_one(User, school.teacher.id).active = False
    assert deliver(sqlite_database, allow_loopback=True) == 0
    assert receiver.received == []


def test_the_server_itself_is_never_sent_to(
    sqlite_database: Database, school: People, receiver: Receiver
) -> None:
    """By name, by number, as IPv6 writes IPv4, and as no URL at all; nothing is connected to."""
    end(sqlite_database, school.run)
    port = receiver.server_port
    hosts = ("localhost", "127.0.0.1", "127.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0")
    urls = [f"http://{host}:{port}/" for host in hosts]
    for url in [*urls, "http://169.254.169.254/", "http://[", "http://x..y/", "https://@/"]:
        hook(sqlite_database, school.teacher, url)
    assert deliver(sqlite_database) == 0
    assert receiver.received == []
    with sqlite_database.system("test") as session:
        rows = session.exec(select(Delivery)).all()
        assert [(row.attempts, row.status) for row in rows] == [(1, 0)] * 10


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("::", True),
        ("169.254.169.254", True),  # where clouds tell a server its keys
        ("fe80::1", True),
        ("224.0.0.1", True),
        ("ff02::1", True),
        ("255.255.255.255", True),
        ("::ffff:169.254.169.254", True),
        ("64:ff9b::7f00:1", True),  # 127.0.0.1 behind NAT64
        ("10.1.2.3", False),  # a school's own network
        ("192.168.0.7", False),
        ("fd00::7", False),
        ("::ffff:192.168.0.7", False),
        ("93.184.216.34", False),
        ("2606:2800:220:1::1", False),
    ],
)
def test_addresses(address: str, refused: bool) -> None:
    assert forbidden(address) is refused


def test_one_dead_receiver_does_not_keep_the_others_waiting(
    sqlite_database: Database, school: People, receiver: Receiver
) -> None:
    """The port of the dead one is closed; its delivery is due again in a minute."""
    end(sqlite_database, school.run)
    hook(sqlite_database, school.teacher, "http://127.0.0.1:9/")
    hook(sqlite_database, school.researcher, receiver.url)
    moment = now()
    assert deliver(sqlite_database, allow_loopback=True, moment=moment) == 1
    with sqlite_database.system("test") as session:
        dead = session.exec(select(Delivery).where(col(Delivery.arrived).is_(None))).one()
    assert (dead.status, dead.due) == (0, moment + PAUSES[0])


def test_a_worker_delivers_while_it_works(tmp_path: Path) -> None:
    """The thread looks at its interval and refuses what points at the server itself."""
    site = site_in(tmp_path)
    school = people(site.database)
    end(site.database, school.run)
    hook(site.database, school.teacher, "http://127.0.0.1:9/")
    tried = threading.Event()
    with Messenger(site.jobs, every=0.05):
        for _ in range(100):
            with site.database.system("test") as session:
                row = session.exec(select(Delivery)).first()
            if row is not None and row.attempts == 1:
                tried.set()
                break
            threading.Event().wait(0.05)
    assert tried.is_set()
    assert not (tmp_path / "data" / "locks" / "webhooks.lock").exists()
    site.database.close()


def test_two_workers_at_the_same_time_send_it_once(
    database: Database, people: People, receiver: Receiver
) -> None:
    end(database, people.run)
    hook(database, people.teacher, receiver.url)
    start, moment = threading.Barrier(3), now()

    def worker(_: int) -> int:
        start.wait(10)
        return deliver(database, allow_loopback=True, moment=moment)

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(worker, range(3))) == 1
    assert len(receiver.received) == 1


def certificate(folder: Path) -> Path:
    """Key and certificate of a server that is called localhost, and not 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "school authority")])
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_https_checks_the_name_although_the_address_is_connected_to(
    sqlite_database: Database,
    school: People,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The certificate is for localhost: as that it is right once the authority is known, as
    127.0.0.1 it is another's."""
    file = certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    receiver.socket = server.wrap_socket(receiver.socket, server_side=True)
    end(sqlite_database, school.run)
    hook(sqlite_database, school.teacher, f"https://localhost:{receiver.server_port}/right")
    hook(sqlite_database, school.teacher, f"https://127.0.0.1:{receiver.server_port}/wrong")
    posting._certificates.cache_clear()
    assert deliver(sqlite_database, allow_loopback=True) == 0  # nobody vouches for it
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    posting._certificates.cache_clear()
    assert deliver(sqlite_database, allow_loopback=True, moment=now() + timedelta(hours=1)) == 1
    posting._certificates.cache_clear()
    assert [path for path, *_ in receiver.received] == ["/right"]


def test_an_answer_that_trickles_is_cut_off(
    sqlite_database: Database, school: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte every 50 ms never runs into a limit on single reads; the limit is on the whole."""
    monkeypatch.setattr(posting, "TIMEOUT", 0.5)
    end(sqlite_database, school.run)
    over = threading.Event()

    def trickle(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
            while not over.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=trickle, args=(listening,))
        thread.start()
        hook(sqlite_database, school.teacher, f"http://127.0.0.1:{listening.getsockname()[1]}/")
        start = now()
        assert deliver(sqlite_database, allow_loopback=True) == 0
        assert now() - start < timedelta(seconds=5)
        over.set()
        thread.join()
    assert delivery(sqlite_database).status == 0
