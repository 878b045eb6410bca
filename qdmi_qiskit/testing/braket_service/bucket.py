"""As much of S3 as results need: buckets, objects, ranges and lists, in memory."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

from qdmi_qiskit.testing.braket_service.errors import ServiceError
from qdmi_qiskit.testing.braket_service.wire import Request, Response

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True)
class Stored:
    """An object: its bytes and when they came."""

    body: bytes
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass
class Bucket:
    """A bucket: where it is and what is in it."""

    region: str
    objects: dict[str, Stored] = field(default_factory=dict)


class Store:
    """All buckets; reads by name, answers requests."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.buckets: dict[str, Bucket] = {}

    def create(self, name: str, region: str) -> None:
        """Create a bucket unless it exists."""
        with self._lock:
            self.buckets.setdefault(name, Bucket(region))

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object."""
        with self._lock:
            self.buckets[bucket].objects[key] = Stored(body)

    def get(self, bucket: str, key: str) -> bytes:
        """Read an object."""
        with self._lock:
            return self.buckets[bucket].objects[key].body

    def answer(self, operation: str, request: Request) -> Response:
        """Answer one request.

        Raises:
            ServiceError: No such bucket or key, or the bucket is in another region.
        """
        name, key = location(request)
        with self._lock:
            if operation == "ListBuckets":
                return _xml(
                    "<ListAllMyBucketsResult><Buckets>"
                    + "".join(
                        f"<Bucket><Name>{escape(each)}</Name></Bucket>" for each in self.buckets
                    )
                    + "</Buckets></ListAllMyBucketsResult>"
                )
            if operation == "CreateBucket":
                return self._create(name, request)
            bucket = self._bucket(name, request)
            if operation == "PutObject":
                bucket.objects[key] = stored = Stored(request.body)
                return Response(200, headers={"ETag": stored.etag})
            if operation == "DeleteObject":
                bucket.objects.pop(key, None)
                return Response(204)
            if operation == "ListObjectsV2":
                return _listed(name, bucket, request.query.get("prefix", ""))
            if operation == "GetBucketLocation":
                place = "" if bucket.region == "us-east-1" else escape(bucket.region)
                return _xml(f"<LocationConstraint>{place}</LocationConstraint>")
            if operation in ("HeadBucket", "PutBucketSetting"):
                return Response(200, headers={"x-amz-bucket-region": bucket.region})
            stored = bucket.objects.get(key) or _no_key(key)
        return _served(stored, request.headers.get("range"))

    def _create(self, name: str, request: Request) -> Response:
        """Create a bucket in the region of the request."""
        if name in self.buckets:
            code, words = "BucketAlreadyOwnedByYou", "you already own this bucket"
            raise ServiceError(code, words, status=409)
        asked = request.body.decode(errors="replace")
        if request.region != "us-east-1" and f">{request.region}<" not in asked:
            words = "the location constraint is not the region that the request was sent to"
            raise ServiceError("IllegalLocationConstraintException", words)
        if not 3 <= len(name) <= 63:
            raise ServiceError("InvalidBucketName", f"the name {name!r} is not valid")
        self.buckets[name] = Bucket(request.region)
        return Response(200, headers={"Location": f"/{name}"})

    def _bucket(self, name: str, request: Request) -> Bucket:
        """Return a bucket if it is in the region of the request."""
        if (bucket := self.buckets.get(name)) is None:
            raise ServiceError("NoSuchBucket", f"no bucket {name!r}", status=404)
        if bucket.region != request.region:
            raise ServiceError(
                "PermanentRedirect",
                f"the bucket is in {bucket.region}",
                status=301,
                headers={"x-amz-bucket-region": bucket.region},
            )
        return bucket


def location(request: Request) -> tuple[str, str]:
    """Return bucket and key, of a path or of a virtual host (`bucket.s3.localhost`)."""
    host = request.headers.get("host", "").rsplit(":", 1)[0]
    if host.endswith(".localhost"):
        bucket = host.removesuffix(".localhost").split(".s3", 1)[0]
        return bucket, request.path.removeprefix("/")
    bucket, _, key = request.path.removeprefix("/").partition("/")
    return bucket, key


def named(request: Request) -> str:
    """Return the operation of S3 that a request is."""
    bucket, key = location(request)
    if key:
        known = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject"}
        return known.get(request.method, "DeleteObject")
    if not bucket:
        return "ListBuckets"
    if request.method == "PUT":
        return "PutBucketSetting" if request.query else "CreateBucket"
    if request.method == "HEAD":
        return "HeadBucket"
    return "GetBucketLocation" if "location" in request.query else "ListObjectsV2"


def refusal(error: ServiceError, request: Request) -> Response:
    """Return an error in the words of S3."""
    name, status = error.name, error.status
    if name == "ThrottlingException":
        name, status = "SlowDown", 503
    elif name == "InternalServiceException":
        name = "InternalError"
    elif name == "AccessDeniedException":
        name = "AccessDenied"
    body = f"<Error><Code>{name}</Code><Message>{escape(error.message)}</Message></Error>"
    answer = _xml(body if request.method != "HEAD" else "")
    answer.status = status
    answer.headers.update(error.extra.get("headers", {}))
    return answer


def _served(stored: Stored, asked: str | None) -> Response:
    """Return an object, or the range `bytes=A-B` of it."""
    headers = {
        "ETag": stored.etag,
        "Last-Modified": format_datetime(stored.modified, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/json",
    }
    if asked is None or not asked.startswith("bytes="):
        return Response(200, stored.body, headers)
    first, _, last = asked.removeprefix("bytes=").partition("-")
    size = len(stored.body)
    begin = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if begin >= size:
        raise ServiceError("InvalidRange", "the range is not satisfiable", status=416)
    headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    return Response(206, stored.body[begin:end], headers)


def _listed(name: str, bucket: Bucket, prefix: str) -> Response:
    """Return the keys that begin with a prefix, all on one page."""
    found = sorted(key for key in bucket.objects if key.startswith(prefix))
    rows = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(bucket.objects[key].body)}</Size>"
        f"<LastModified>{bucket.objects[key].modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f"<ETag>{escape(bucket.objects[key].etag)}</ETag></Contents>"
        for key in found
    )
    return _xml(
        f"<ListBucketResult><Name>{escape(name)}</Name><Prefix>{escape(prefix)}</Prefix>"
        f"<KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>{rows}"
        "</ListBucketResult>"
    )


def _no_key(key: str) -> Stored:
    """Refuse a key that does not exist."""
    raise ServiceError("NoSuchKey", f"no key {key!r}", status=404)


def _xml(body: str) -> Response:
    """Return an answer in XML."""
    text = (_XML + body).encode() if body else b""
    return Response(200, text, {"Content-Type": "application/xml"})
