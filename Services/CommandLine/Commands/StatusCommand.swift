import JSON
import ServiceKit

/// `warren status`: health and backlog of every service.
enum StatusCommand {
    static let command = Command(
        name: "status",
        summary: "Show the health and the backlog of every service.",
        discussion: """
            Ends with 0 when every service is ready, 1 when one is not, 7 when one cannot be reached, 4 when a backlog \
            may not be read. Ages are those of the oldest.
            """,
        examples: [
            .init("warren status", "Is everything up, and what waits?"),
            .init("warren status -o jsonl | jq -r 'select(.ready | not) | .service'", "Services that are not ready"),
        ]
    ) { invocation in
        let clients = try await invocation.knownServices().map { try invocation.client(of: $0) }
        let reports = try await Gathering.gather(clients) { try await report(on: $0) }
        let records = reports.found.map(\.found)
        let printer = invocation.printer
        printer.list(records.map(\.record), columns: columns, empty: "")
        for report in records {
            for problem in report.problems { printer.note(problem) }
        }
        let codes = records.map(\.code)
        for (code, message) in [
            (ExitCode.unreachable, "not every service can be reached"), (.failed, "not every service is ready"),
            (.notAllowed, "not every backlog may be read"),
        ] where codes.contains(code) {
            throw CommandFailure(code, message, mend: records.first { $0.code == code }?.mend)
        }
    }

    /// How one service is.
    private struct Report: Sendable {
        var record: JSONValue
        var problems: [String] = []
        var code = ExitCode.done
        var mend: String?
    }

    private static func report(on client: ServiceClient) async throws -> Report {
        var report = Report(
            record: ["service": .string(client.service.name), "url": .string(client.base)]
        )
        do {
            let request = ServiceRequest(
                method: "GET",
                url: client.url("/readyz", [(name: "verbose", value: "")]),
                timeout: .seconds(5)
            )
            let health = try await client.send(request)
            guard health.status == 200 || health.status == 503 else { throw client.failure(of: health) }
            let checks = HealthText.parse(String(decoding: health.body, as: UTF8.self))
            report.record["reachable"] = .bool(true)
            report.record["ready"] = .bool(health.status == 200)
            report.record["checks"] = .array(checks.map(\.record))
            report.problems = checks.filter { !$0.isWell }.map {
                "\(client.service.name): \($0.name): \($0.detail)"
            }
            if health.status != 200 {
                report.code = .failed
                if report.problems.isEmpty { report.problems = ["\(client.service.name) is not ready"] }
            }
        } catch let failure as CommandFailure {
            // A service that does not answer its health check in time is as good as away.
            report.code = failure.code == .notMet ? .unreachable : failure.code
            report.mend = failure.mend
            report.problems = [failure.message]
            report.record["reachable"] = .bool(report.code != .unreachable)
            report.record["ready"] = .bool(false)
            return report
        }
        do {
            report.record["backlog"] = try await client.get("/backlog", timeout: .seconds(5))
        } catch let failure as CommandFailure {
            report.problems.append(failure.message)
            if report.code == .done {
                report.code = failure.code
                report.mend = failure.mend
            }
        }
        return report
    }

    private static let columns: [Printer.Column] = [
        .init("SERVICE", "service"),
        .init("HEALTH") { record in
            if record["ready"] == .bool(true) { return "ready" }
            return record["reachable"] == .bool(true) ? "not ready" : "unreachable"
        },
        .init("UNFORWARDED", isNumber: true) { waiting($0, "unforwarded", age: "oldestUnforwardedAge") },
        .init("SCHEDULED", isNumber: true) { waiting($0, "scheduled", age: "oldestScheduledAge") },
        .init("HELD", isNumber: true) { waiting($0, "held") },
        .init("DEAD", isNumber: true) { waiting($0, "dead") },
        .init("URL", "url"),
    ]

    /// `12 (3.4 s)`, or `-` where it is not known.
    private static func waiting(_ record: JSONValue, _ name: String, age: String? = nil) -> String {
        guard let count = record.member(at: "backlog.\(name)")?.integer else { return "-" }
        let seconds: Double? =
            switch age.flatMap({ record.member(at: "backlog.\($0)") }) {
            case .integer(let value): Double(value)
            case .number(let value): value
            default: nil
            }
        guard count > 0, let seconds, seconds >= 0, seconds < 1e12 else { return String(count) }
        return "\(count) (\(DurationText.describe(.milliseconds(Int64(seconds * 1000)))))"
    }
}

/// The text of `/readyz?verbose`: a line per check, `[+] name ok` or `[-] name: what is wrong`.
enum HealthText {
    struct Check: Sendable, Equatable {
        let name: String
        let isWell: Bool
        let detail: String

        var record: JSONValue { ["name": .string(name), "ok": .bool(isWell), "detail": .string(detail)] }
    }

    static func parse(_ text: String) -> [Check] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            if line.hasPrefix("[+] ") {
                let name = line.dropFirst(4).split(separator: " ").first.map(String.init) ?? ""
                return Check(name: name, isWell: true, detail: "ok")
            }
            guard line.hasPrefix("[-] ") else { return nil }
            let parts = line.dropFirst(4).split(separator: ":", maxSplits: 1)
            let detail = parts.count > 1 ? parts[1].drop { $0 == " " } : "not well"
            return Check(name: parts.first.map(String.init) ?? "", isWell: false, detail: String(detail))
        }
    }
}
