import Glibc
import Telemetry

/// What operators have to know of connections, said at once and then not more often than every ten seconds: who knocks decides
/// how often it happens.
struct Notices {
    /// Connections closed to make room, since that was said.
    var displaced = 0
    /// How often all were at work when one knocked, since that was said.
    var allBusy = 0
    /// Connections refused because their address had too many at work, since that was said.
    var perPeer = 0
    /// The last failure to accept a connection.
    var failure: Int32 = 0
    private var quietUntil: UInt64 = 0

    /// Says what there is to say.
    mutating func write(to logger: Logger, limits: HTTPServer.Limits, now: UInt64) {
        guard displaced + allBusy + perPeer > 0 || failure != 0, now >= quietUntil else { return }
        let limit = LogField("http.server.connections.limit", limits.connections)
        if displaced > 0 {
            logger.warning(
                "connections that waited for a request were closed to make room for others",
                [LogField("http.server.connections.displaced", displaced), limit]
            )
        }
        if allBusy > 0 {
            logger.warning("all connections are at work, and others wait to be accepted", [limit])
        }
        if perPeer > 0 {
            logger.warning(
                "connections of an address were refused, because it has too many at work",
                [
                    LogField("http.server.connections.refused", perPeer),
                    LogField("http.server.connections.limit", limits.perPeer),
                ]
            )
        }
        if failure != 0 {
            logger.error(
                "connections cannot be accepted",
                [LogField("error", unsafe String(cString: strerror(failure)))]
            )
        }
        self = Notices()
        quietUntil = now + 10_000_000_000
    }
}

extension Duration {
    /// Whole nanoseconds; negative ones are none.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        let (whole, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return isOver ? UInt64(Int64.max) : UInt64(max(0, whole &+ attoseconds / 1_000_000_000))
    }
}
