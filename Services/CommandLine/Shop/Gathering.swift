/// What came of one and the same thing done at several services or to several dead letters.
struct Gathering<Subject: Sendable, Found: Sendable>: Sendable {
    /// In the order of the subjects.
    let outcomes: [(subject: Subject, result: Result<Found, CommandFailure>)]

    /// Does it everywhere at once.
    static func gather(
        _ subjects: [Subject],
        _ body: @escaping @Sendable (Subject) async throws -> Found
    ) async throws -> Gathering {
        let results = try await withThrowingTaskGroup(of: (Int, Result<Found, CommandFailure>).self) { group in
            for (index, subject) in subjects.enumerated() {
                group.addTask {
                    do {
                        return (index, .success(try await body(subject)))
                    } catch let failure as CommandFailure {
                        return (index, .failure(failure))
                    }
                }
            }
            var results: [Int: Result<Found, CommandFailure>] = [:]
            for try await (index, result) in group { results[index] = result }
            return results
        }
        return Gathering(
            outcomes: subjects.enumerated().compactMap { index, subject in results[index].map { (subject, $0) } }
        )
    }

    /// What was found where it went well.
    var found: [(subject: Subject, found: Found)] {
        outcomes.compactMap { outcome in (try? outcome.result.get()).map { (outcome.subject, $0) } }
    }

    /// What went wrong elsewhere.
    var failures: [CommandFailure] {
        outcomes.compactMap { outcome in
            if case .failure(let failure) = outcome.result { failure } else { nil }
        }
    }

    /// Says what went wrong.
    ///
    /// - Throws: `CommandFailure`: `.partlyFailed` when something went well, otherwise the code that all failures share,
    ///   or `.failed` when they share none.
    func check() throws {
        let failures = failures
        guard let first = failures.first else { return }
        var code = ExitCode.partlyFailed
        if failures.count == outcomes.count {
            code = failures.allSatisfy { $0.code == first.code } ? first.code : .failed
        }
        var mends: [String] = []
        for mend in failures.compactMap(\.mend) where !mends.contains(mend) { mends.append(mend) }
        throw CommandFailure(
            code,
            failures.map(\.message).joined(separator: "\n"),
            mend: mends.isEmpty ? nil : mends.joined(separator: "\n")
        )
    }
}
