import HTTP
import Telemetry

/// One line a request: who asked for what, and what came of it.
///
/// The route's pattern stands for the path, and the caller is a token's name or an id: no personal data. What is only looked
/// at by operators, and probes, are on level debug.
struct AccessLog: Sendable {
    let logger: Logger

    func note(_ route: Wiring.Route, _ caller: Caller?, status: Int, duration: Duration) {
        let level: Logger.Level =
            switch route.access {
            case .callers, .operators(.act): .info
            case .anyone, .operators(.read): .debug
            }
        logger.log(
            level,
            "a request was answered",
            [
                LogField("http.request.method", route.method), LogField("http.route", route.pattern),
                LogField("http.response.status_code", status),
                LogField("http.duration_us", Int64(duration / .microseconds(1))),
                LogField("enduser.id", caller?.text ?? ""),
            ]
        )
    }
}
