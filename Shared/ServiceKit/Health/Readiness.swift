/// Whether the service can do its work now, check by check.
struct Readiness: Sendable {
    struct Finding: Sendable, Equatable {
        let name: String
        /// What is wrong; nil when well.
        let problem: String?
        /// Whether the service does its work all the same: it is said, and the service stays ready.
        var isAdvisory = false

        /// Whether it makes the service not ready.
        var isFailing: Bool { problem != nil && !isAdvisory }
    }

    /// Answers one or more checks.
    struct Probe: Sendable {
        let name: String
        let run: @Sendable () async -> [Finding]

        static func single(_ name: String, _ check: @escaping @Sendable () async -> String?) -> Probe {
            Probe(name: name) { [Finding(name: name, problem: await check())] }
        }
    }

    let probes: [Probe]
    /// The longest that a probe may take; then it counts as failed.
    var limit: Duration = .seconds(2)

    /// Runs all probes at once, and answers in their order.
    func findings() async -> [Finding] {
        let limit = limit
        return await withTaskGroup(of: (Int, [Finding]).self) { group in
            for (index, probe) in probes.enumerated() {
                group.addTask {
                    let findings = await Deadline.value(within: limit, of: probe.run)
                    return (index, findings ?? [Finding(name: probe.name, problem: "no answer within \(limit)")])
                }
            }
            var results: [(Int, [Finding])] = []
            for await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
    }
}

extension Readiness.Finding {
    /// `[+] name ok`, `[-] name: what is wrong` or, where the service is ready all the same, `[!] name: …`, on one line whatever the problem says.
    var line: String {
        guard let problem else { return "[+] \(name) ok" }
        let clean = problem.split(whereSeparator: \.isNewline).joined(separator: " ")
        return "[\(isAdvisory ? "!" : "-")] \(name): \(clean)"
    }
}
