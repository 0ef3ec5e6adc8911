"""Which keywords of a backend and of a server cannot change who serves a request, and why.

The loader (`config`) honours what it knows, ignores what is listed here, and refuses the rest.

Source: HAProxy Configuration Manual, 4.2 and 5.2.
"""

from __future__ import annotations

TRAFFIC = "decides which requests come here, or what becomes of them, not which server takes one"
CONNECTION = "is about connections, not about who gets one"
RETRIES = "tries after the first are the caller's, who says whom it has tried"
CHECKING = "says how checks are done; their results are reported to the signal"
LOGGING = "is written down, and decides nothing"
TLS = "is about encryption"
ADDRESSES = "finds addresses; servers are as configured here"
SYNC = "is about peers, tables and their traffic, which no choice here looks at"

KEYWORDS: dict[str, str] = {  # of defaults, backend and listen sections
    **dict.fromkeys(
        (
            *("mode", "description", "id", "guid", "disabled", "enabled", "bind", "bind-process", "maxconn", "backlog"),
            *("acl", "use_backend", "default_backend", "monitor-uri", "monitor", "monitor-net", "block", "redirect"),
            *("http-request", "http-response", "http-after-response", "tcp-request", "tcp-response", "quic-initial"),
            *("errorfile", "errorfiles", "errorloc", "errorloc302", "errorloc303", "http-error", "filter", "stats"),
            *("compression", "capture", "declare", "unique-id-format", "unique-id-header", "rate-limit", "grace"),
            *("email-alert", "http-send-name-header", "reqadd", "rspadd", "max-session-srv-conns"),
        ),
        TRAFFIC,
    ),
    **dict.fromkeys(("timeout", "clitimeout", "contimeout", "srvtimeout", "source", "http-reuse"), CONNECTION),
    **dict.fromkeys(("retries", "retry-on"), RETRIES),
    **dict.fromkeys(("http-check", "tcp-check", "external-check"), CHECKING),
    **dict.fromkeys(("log", "log-format", "log-format-sd", "log-tag", "log-steps", "error-log-format"), LOGGING),
}
OPTIONS: dict[str, str] = {  # after ``option``
    **dict.fromkeys(
        (
            *(
                "httpclose",
                "http-server-close",
                "http-keep-alive",
                "forceclose",
                "http-tunnel",
                "http-pretend-keepalive",
            ),
            *("tcpka", "clitcpka", "srvtcpka", "splice-auto", "splice-request", "splice-response", "nolinger"),
            *("abortonclose", "http-no-delay", "tcp-smart-accept", "tcp-smart-connect", "idle-close-on-response"),
        ),
        CONNECTION,
    ),
    **dict.fromkeys(
        (
            *("httpchk", "tcp-check", "ssl-hello-chk", "smtpchk", "mysql-check", "pgsql-check", "redis-check"),
            *("ldap-check", "spop-check", "external-check", "log-health-checks"),
        ),
        CHECKING,
    ),
    **dict.fromkeys(
        (
            "httplog",
            "tcplog",
            "httpslog",
            "clitcplog",
            "dontlog-normal",
            "dontlognull",
            "log-separate-errors",
            "logasap",
        ),
        LOGGING,
    ),
    **dict.fromkeys(
        (
            *("forwardfor", "originalto", "forwarded", "http-buffer-request", "h1-case-adjust-bogus-client"),
            *("h1-case-adjust-bogus-server", "accept-invalid-http-request", "accept-invalid-http-response"),
            *("accept-unsafe-violations-in-http-request", "accept-unsafe-violations-in-http-response", "contstats"),
            *("checkcache", "http-ignore-probes", "http-use-htx", "http-use-proxy-header", "socket-stats"),
            *("http-restrict-req-hdr-names", "independent-streams", "disable-h2-upgrade", "set-server-by-name"),
            "http-drop-request-trailers",
            "http-drop-response-trailers",
        ),
        TRAFFIC,
    ),
    "redispatch": RETRIES,
}
SERVER: dict[str, tuple[int, str]] = {  # of a server: how many words follow it, and why it is irrelevant
    **dict.fromkeys(
        (
            *("ssl", "no-ssl", "check-ssl", "no-check-ssl", "no-verifyhost", "ssl-reuse", "no-ssl-reuse", "allow-0rtt"),
            *("no-sslv3", "no-tlsv10", "no-tlsv11", "no-tlsv12", "no-tlsv13", "no-tls-tickets", "tls-tickets"),
            *("force-sslv3", "force-tlsv10", "force-tlsv11", "force-tlsv12", "force-tlsv13", "renegotiate"),
            *("no-renegotiate", "sni-auto", "no-sni-auto", "strict-sni", "ktls"),
        ),
        (0, TLS),
    ),
    **dict.fromkeys(
        (
            *("verify", "verifyhost", "sni", "ca-file", "crt", "crl-file", "alpn", "npn", "ciphers", "ciphersuites"),
            *("curves", "sigalgs", "client-sigalgs", "ssl-min-ver", "ssl-max-ver", "ssl-default-bind-crt", "ech"),
        ),
        (1, TLS),
    ),
    **dict.fromkeys(
        (
            *("send-proxy", "no-send-proxy", "send-proxy-v2", "no-send-proxy-v2", "send-proxy-v2-ssl", "tfo", "no-tfo"),
            *("no-send-proxy-v2-ssl", "send-proxy-v2-ssl-cn", "no-send-proxy-v2-ssl-cn"),
        ),
        (0, CONNECTION),
    ),
    **dict.fromkeys(
        (
            *("proto", "pool-max-conn", "pool-low-conn", "pool-purge-delay", "pool-conn-name", "max-reuse", "tcp-ut"),
            *("mss", "namespace", "proxy-v2-options", "set-proxy-v2-tlv-fmt", "socks4", "ws", "cc", "tcp-md5sig"),
            *("on-marked-down", "on-marked-up", "idle-ping", "log-bufsize", "log-proto"),
        ),
        (1, CONNECTION),
    ),
    **dict.fromkeys(("check-send-proxy", "check-via-socks4", "check-reuse-pool", "no-check-send-proxy"), (0, CHECKING)),
    **dict.fromkeys(
        (
            *("addr", "port", "check-sni", "check-alpn", "check-proto", "check-pool-conn-name"),
            *("agent-addr", "agent-port", "agent-inter", "agent-send"),
        ),
        (1, CHECKING),
    ),
    **dict.fromkeys(("resolvers", "resolve-opts", "resolve-prefer", "resolve-net", "init-addr"), (1, ADDRESSES)),
    "non-stick": (0, SYNC),
    "stick": (0, SYNC),
    "shard": (1, SYNC),
    "cookie": (1, "names the server in a cookie, which counts only where the backend has a cookie"),
}
