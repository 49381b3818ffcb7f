/// A dead letter among those of all services: `payment-17`.
struct DeadLetterID: Sendable, Hashable, CustomStringConvertible {
    /// The service in whose table it lies.
    let service: ShopService
    /// Its number there, as text.
    let number: String

    /// Reads `payment-17`, or `17` where one service is named otherwise.
    ///
    /// - Throws: `UsageError` that says how an id is written.
    init(_ text: String, services: [ShopService]) throws {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let number = parts[parts.count - 1]
        guard !number.isEmpty, number.allSatisfy({ $0.isASCII && $0.isNumber }), Int64(number) != nil else {
            throw UsageError(message: "`\(text)` is no id of a dead letter", mend: Self.form)
        }
        if parts.count == 2 {
            guard let service = ShopService(rawValue: parts[0]) else {
                let names = ShopService.allCases.map(\.rawValue)
                throw UsageError(
                    message: "`\(text)` names no service that is known",
                    mend: Suggestion.nearest(to: parts[0], among: names).map { "Did you mean `\($0)-\(number)`?" }
                        ?? "Services are: \(names.joined(separator: ", "))."
                )
            }
            guard services.contains(service) else {
                throw UsageError(
                    message: "`\(text)` does not belong to \(services.map(\.rawValue).joined(separator: ", "))"
                )
            }
            self.init(service: service, number: number)
        } else if services.count == 1 {
            self.init(service: services[0], number: number)
        } else {
            throw UsageError(message: "`\(text)` does not say which service it belongs to", mend: Self.form)
        }
    }

    init(service: ShopService, number: String) {
        self.service = service
        self.number = number
    }

    var description: String { "\(service.rawValue)-\(number)" }

    private static let form =
        "Ids are written as `warren dead-letters list` shows them, payment-17; or 17 with --service payment."
}
