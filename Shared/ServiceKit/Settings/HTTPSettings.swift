import HTTP

/// How many connections HTTP has, and how long they may take.
struct HTTPSettings {
    private static let defaults = HTTPServer.Limits()

    let connections = Setting<Int>.integer(
        "WARREN_HTTP_MAX_CONNECTIONS",
        default: defaults.connections,
        in: 8...100_000,
        help: """
            The most connections at a time, and seven eighths of it from one address. One more takes the place of one that \
            waits for a request.
            """
    )
    let idle = Self.duration(
        "WARREN_HTTP_IDLE_TIMEOUT",
        default: defaults.idle,
        help: "How long a connection may wait for its first or next request."
    )
    let head = Self.duration(
        "WARREN_HTTP_HEAD_TIMEOUT",
        default: defaults.head,
        help: "How long the head of a request may take from its first byte to its end."
    )
    let body = Self.duration(
        "WARREN_HTTP_BODY_TIMEOUT",
        default: defaults.body,
        help: "How long the body of a request may take."
    )

    var declarations: [SettingDeclaration] {
        [connections.declaration, idle.declaration, head.declaration, body.declaration]
    }

    func limits(in settings: Settings) -> HTTPServer.Limits {
        var limits = Self.defaults
        limits.connections = settings[connections]
        limits.idle = settings[idle]
        limits.head = settings[head]
        limits.body = settings[body]
        return limits
    }

    private static func duration(_ name: String, default: Duration, help: String) -> Setting<Duration> {
        .duration(
            name,
            default: DurationText.text(of: `default`),
            in: .milliseconds(100)...(.seconds(3600)),
            help: help
        )
    }
}
