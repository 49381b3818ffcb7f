/// A dead letter among those of all services: `payment-17`.
struct DeadLetterID: Sendable, Hashable, CustomStringConvertible {
    /// The service in whose table it lies.
    let service: KnownService
    /// Its number there, as text.
    let number: String

    /// Reads `payment-17`, or `17` where one service is named otherwise.
    ///
    /// - Throws: `UsageError` that says how an id is written.
    init(_ text: String, services: [KnownService]) throws {
        // A service's name may hold dashes.
        let dash = text.lastIndex(of: "-")
        let number = String(dash.map { text[text.index(after: $0)...] } ?? text[...])
        guard !number.isEmpty, number.allSatisfy({ $0.isASCII && $0.isNumber }), Int64(number) != nil else {
            throw UsageError(message: "`\(text)` is no id of a dead letter", mend: Self.form)
        }
        if let dash {
            let name = String(text[..<dash])
            guard let service = services.first(where: { $0.name == name }) else {
                let names = services.map(\.name)
                throw UsageError(
                    message: services.count == 1
                        ? "`\(text)` does not belong to \(services[0].name)"
                        : "`\(text)` names no service that is known",
                    mend: Suggestion.nearest(to: name, among: names).map { "Did you mean `\($0)-\(number)`?" }
                        ?? "Services are: \(names.joined(separator: ", "))."
                )
            }
            self.init(service: service, number: number)
        } else if services.count == 1 {
            self.init(service: services[0], number: number)
        } else {
            throw UsageError(message: "`\(text)` does not say which service it belongs to", mend: Self.form)
        }
    }

    init(service: KnownService, number: String) {
        self.service = service
        self.number = number
    }

    var description: String { "\(service.name)-\(number)" }

    private static let form =
        "Ids are written as `warren dead-letters list` shows them, payment-17; or 17 with --service payment."
}

/// Where a page of a listing begins: behind a dead letter, `payment-17`; in a listing by time behind one that last changed
/// then, `2026-01-01T00:00:00.000Z/payment-17`.
struct DeadLetterPlace: Sendable, Equatable {
    let id: DeadLetterID
    /// As the operations API has it.
    let cursor: String

    /// Reads a place.
    ///
    /// - Throws: `UsageError` that says how one is written.
    init(_ text: String, services: [KnownService], hasTime: Bool) throws {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == (hasTime ? 2 : 1) else {
            throw UsageError(
                message: "--after cannot be `\(text)`",
                mend: hasTime
                    ? "With --from or --until it is TIME/ID, as the end of the listing before says."
                    : "It is an id such as payment-17; TIME/ID is for listings with --from or --until."
            )
        }
        id = try DeadLetterID(parts[parts.count - 1], services: services)
        cursor = hasTime ? "\(parts[0])/\(id.number)" : id.number
    }
}
