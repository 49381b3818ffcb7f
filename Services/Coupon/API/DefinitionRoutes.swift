import Database
import HTTP
import ServiceKit

extension CouponAPI {
    /// `GET /coupons/definitions?after=&limit=`: one page, by name.
    func listDefinitions(_ request: HTTPRequest) async throws -> HTTPResponse {
        try checkBackEnd(request)
        let query = try PageQuery(request.query, of: .definitions)
        let found = try await database.read { transaction in
            // One more than asked for tells whether there is another page.
            try definitions.page(after: query.after ?? "", limit: query.limit + 1, in: transaction)
        }
        let shown = Array(found.prefix(query.limit))
        let next = found.count > query.limit ? shown.last?.id : nil
        var response = try HTTPResponse.json(DefinitionPage(definitions: shown.map(DefinitionView.init), next: next))
        if let next {
            response.headers["Link"] = "<\(query.path("/coupons/definitions", after: next))>; rel=\"next\""
        }
        return response
    }

    /// `GET /coupons/definitions/{id}`: one definition.
    func showDefinition(_ request: HTTPRequest) async throws -> HTTPResponse {
        try checkBackEnd(request)
        try request.checkNoQuery()
        let id = request.parameters["id"] ?? ""
        guard let definition = try await database.read({ try definitions.find(id, in: $0) }) else {
            throw Self.unknownDefinition
        }
        return try .json(DefinitionView(definition))
    }

    /// `PUT /coupons/definitions/{id}`: what coupons of that name take off and how many there are; 201 for a new one.
    func putDefinition(_ request: HTTPRequest) async throws -> HTTPResponse {
        try checkBackEnd(request)
        try request.checkNoQuery()
        let id = request.parameters["id"] ?? ""
        let terms = try request.decode(DefinitionForm.self).checked(id)
        let (definition, isNew) = try await database.write { transaction in
            try put(terms, id, in: transaction)
        }
        var response = try HTTPResponse.json(DefinitionView(definition), status: isNew ? 201 : 200)
        if isNew { response.headers["Location"] = "/coupons/definitions/\(PercentEncoding.encode(id))" }
        return response
    }

    private func put(
        _ terms: CouponDefinition.Terms,
        _ id: String,
        in transaction: Transaction
    ) throws -> (CouponDefinition, isNew: Bool) {
        let time = now()
        guard var definition = try definitions.find(id, in: transaction) else {
            let definition = CouponDefinition(id: id, terms: terms, createdAt: time, updatedAt: time)
            try definitions.insert(definition, in: transaction)
            return (definition, true)
        }
        do throws(CouponDefinition.TooManyIssued) {
            guard try definition.put(terms, at: time) else { return (definition, false) }
        } catch {
            let detail = "must be at least \(error.issued): so many are issued"
            throw Problem.invalidRequest([Problem.Fault(field: "limit", detail: detail)])
        }
        try definitions.updateTerms(of: definition, in: transaction)
        return (definition, false)
    }

    static var unknownDefinition: Problem { Problem(.notFound, detail: "There is no such definition.") }
}
