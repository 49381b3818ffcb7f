import JSON

/// A service that this command talks to: any that is built on the kit, at its operations address.
struct KnownService: Sendable, Hashable {
    /// As it calls itself: `payment`.
    let name: String
    /// Where its operations are served, without a slash at its end.
    let url: String
}

/// Where services are, as it was written: `order=http://127.0.0.1:9081`, or the URL alone, and then it is asked for its name.
struct ServiceLocation: Sendable, Equatable {
    let name: String?
    let url: String

    /// The option that says where services are, one at a time.
    static let option = "service-url"
    /// The environment variable that does so, separated by commas.
    static let variable = "WARREN_SERVICES"
    /// Where the services of the shop are when nothing was said.
    static let shop = "order=http://127.0.0.1:9081,payment=http://127.0.0.1:9082,notification=http://127.0.0.1:9083"

    /// Reads a location.
    ///
    /// - Throws: `UsageError` that says how one is written.
    init(_ text: String) throws {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let isNamed = parts.count == 2 && !parts[0].contains { $0 == ":" || $0 == "/" }
        var url = isNamed ? parts[1] : text
        while url.hasSuffix("/") { url.removeLast() }
        guard !isNamed || Self.isName(parts[0]), url.hasPrefix("http://") || url.hasPrefix("https://"),
            !url.contains(where: \.isWhitespace)
        else {
            throw UsageError(
                message: "`\(text)` does not say where a service is",
                mend:
                    "--\(Self.option) is NAME=URL, such as order=http://127.0.0.1:9081; \(Self.variable) holds several of "
                    + "them, separated by commas."
            )
        }
        name = isNamed ? parts[0] : nil
        self.url = url
    }

    /// Reads locations, separated by commas or one at a time.
    static func list(_ texts: [String]) throws -> [ServiceLocation] {
        let words = texts.flatMap { $0.split(separator: ",") }.map { $0.trimmingSpaces }.filter { !$0.isEmpty }
        let locations = try words.map { try ServiceLocation(String($0)) }
        try requireDifferent(locations.compactMap(\.name))
        return locations
    }

    static func requireDifferent(_ names: [String]) throws {
        var seen: Set<String> = []
        for name in names where !seen.insert(name).inserted {
            throw UsageError(
                message: "there are two services called `\(name)`",
                mend: "Dead letters are told apart by the names of their services."
            )
        }
    }

    /// What can be the name of a service, and so of its queue.
    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: Substring {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}

extension Invocation {
    /// Where services are: what `--service-url` says, else `WARREN_SERVICES`, else the shop.
    private func locations() throws -> [ServiceLocation] {
        let given = texts(ServiceLocation.option)
        if !given.isEmpty { return try ServiceLocation.list(given) }
        let variable = surroundings.environment[ServiceLocation.variable] ?? ""
        return try ServiceLocation.list([variable.isEmpty ? ServiceLocation.shop : variable])
    }

    /// The names of services as they were written; nobody is asked.
    func writtenNames() throws -> [String] {
        try locations().compactMap(\.name)
    }

    /// All services that are known, in the order in which they were written.
    ///
    /// One whose name was not said is asked for it; one that does not answer goes by its address.
    ///
    /// - Throws: `UsageError` where what was written is none or names one twice.
    func knownServices() async throws -> [KnownService] {
        let locations = try locations()
        let gathered = try await Gathering.gather(locations) { location in
            if let name = location.name { return KnownService(name: name, url: location.url) }
            let unnamed = KnownService(name: location.url, url: location.url)
            do {
                let answer = try await client(of: unnamed).get("/backlog", timeout: .seconds(5))
                return KnownService(name: answer["service"]?.text ?? unnamed.name, url: location.url)
            } catch let failure as CommandFailure where [.unreachable, .notMet].contains(failure.code) {
                return unnamed
            }
        }
        try gathered.check()
        let services = gathered.found.map(\.found)
        try ServiceLocation.requireDifferent(services.map(\.name))
        return services
    }

    /// The services that `--service` names, or all.
    ///
    /// - Throws: `UsageError` where one is not known.
    func services() async throws -> [KnownService] {
        let known = try await knownServices()
        let wanted = texts("service")
        for name in wanted where !known.contains(where: { $0.name == name }) {
            throw UsageError(
                message: "--service cannot be `\(name)`",
                mend: Suggestion.sentence(for: name, among: known.map(\.name)) ?? Self.mend(known)
            )
        }
        return wanted.isEmpty ? known : known.filter { wanted.contains($0.name) }
    }

    /// The service of that name, for commands that are about the shop.
    ///
    /// - Throws: `UsageError` where it is not known.
    func service(named name: String) async throws -> KnownService {
        let known = try await knownServices()
        guard let service = known.first(where: { $0.name == name }) else {
            throw UsageError(
                message: "there is no service `\(name)` among those that are known",
                mend: Self.mend(known)
            )
        }
        return service
    }

    private static func mend(_ known: [KnownService]) -> String {
        "Services are: \(known.map(\.name).joined(separator: ", ")); "
            + "--\(ServiceLocation.option) and \(ServiceLocation.variable) say which there are."
    }
}
