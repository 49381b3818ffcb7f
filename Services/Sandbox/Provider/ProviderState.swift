/// The provider as a value: intents, refunds, idempotency keys and planned faults.
///
/// It does no I/O and knows no clock: each call is given the time in milliseconds since 1970, and says what is answered
/// and how the answer travels. Slow work is settled by time, so that nothing has to come back later to finish it.
struct ProviderState: Sendable {
    /// Where the ids of this provider come from; another one after each reset.
    private let series: String
    private var counter = 0
    private var intents: [PaymentIntent] = []
    private var intentIndex: [String: Int] = [:]
    private var intentsOfOrder: [String: [Int]] = [:]
    private var refunds: [Refund] = []
    private var refundIndex: [String: Int] = [:]
    private var refundsOfIntent: [String: [Int]] = [:]
    private var keys = IdempotencyTable()
    /// The keys under which each intent's refund was asked for, whatever came of it.
    private var refundKeys: [String: Set<String>] = [:]
    private var faults = FaultPlan()
    private var disputes: [Dispute] = []
    private var disputeIndex: [String: Int] = [:]
    private(set) var events = ProviderEvents()
    /// What time will change, and when.
    private var unsettled: [Unsettled] = []
    /// How far the search is behind, in milliseconds.
    private var searchLag: Int64 = 0

    private struct Unsettled: Sendable {
        let id: String
        let at: Int64
    }

    /// An empty provider.
    /// - Parameter series: distinguishes its ids from those of other runs; letters and digits.
    init(series: String) {
        self.series = series
    }

    // MARK: The provider's calls

    /// `POST /v1/payment_intents`: makes an intent and, with `confirm=true`, charges it.
    mutating func createIntent(_ form: [String: String], key: String?, at now: Int64) -> ProviderReply {
        once(key, "/v1/payment_intents", form, at: now) { state in
            let request = try IntentRequest(form)
            guard request.confirms, let method = request.paymentMethod else {
                return .done(.intent(state.add(request, at: now)))
            }
            let order = request.metadata["order_id"] ?? ""
            return try state.work(under: state.faults.next(charging: method, order: order), at: now) { state, delay in
                state.charge(state.add(request, at: now), delay: delay, at: now)
            }
        }
    }

    /// `POST /v1/payment_intents/{id}/confirm`: charges an intent that has not been charged.
    mutating func confirmIntent(
        _ id: String,
        _ form: [String: String],
        key: String?,
        at now: Int64
    ) -> ProviderReply {
        once(key, "/v1/payment_intents/\(id)/confirm", form, at: now) { state in
            let request = try ConfirmRequest(form)
            var intent = try state.existingIntent(id, at: now)
            guard [.requiresConfirmation, .requiresPaymentMethod].contains(intent.status) else {
                throw ProviderError.unexpectedState(
                    intent,
                    "An intent with the status \(intent.status.rawValue) cannot be confirmed."
                )
            }
            guard let method = request.paymentMethod ?? intent.paymentMethod.flatMap(PaymentMethod.init(rawValue:))
            else {
                throw ProviderError.invalid(
                    "parameter_missing",
                    "An intent is confirmed with a payment method.",
                    param: "payment_method"
                )
            }
            try ChargeRule(intent.currency)?.check(intent.amount, of: intent.currency, on: method)
            intent.paymentMethod = method.rawValue
            intent.isServersOwn = request.isServersOwn
            let fault = state.faults.next(charging: method, order: intent.order)
            return try state.work(under: fault, at: now) { [intent] state, delay in
                state.charge(intent, delay: delay, at: now)
            }
        }
    }

    /// Charges an intent, at once or later.
    private mutating func charge(_ intent: PaymentIntent, delay: Int64?, at now: Int64) -> ProviderAnswer {
        var intent = intent
        if let delay {
            intent.status = .processing
            intent.settlesAt = now + delay
            replace(intent)
            note(intent, at: now)
            unsettled.append(Unsettled(id: intent.id, at: now + delay))
        }
        // The answer to slow work comes when it is done.
        intent.settle()
        if delay == nil {
            replace(intent)
            note(intent, at: now)
        }
        return intent.chargeError.map { .error($0) } ?? .intent(intent)
    }

    /// `POST /v1/payment_intents/{id}/capture`: takes the money that an intent holds, or a part and lets go of the rest.
    mutating func captureIntent(
        _ id: String,
        _ form: [String: String],
        key: String?,
        at now: Int64
    ) -> ProviderReply {
        once(key, "/v1/payment_intents/\(id)/capture", form, at: now) { state in
            let name = "amount_to_capture"
            let parameters = Parameters(form)
            try parameters.allow([name])
            var intent = try state.existingIntent(id, at: now)
            guard intent.status == .requiresCapture else {
                throw ProviderError.unexpectedState(
                    intent,
                    "An intent with the status \(intent.status.rawValue) cannot be captured."
                )
            }
            let amount = try form[name].map { try parameters.amount($0, param: name) } ?? intent.amount
            try ChargeRule(intent.currency)?.checkStep(amount, of: intent.currency, param: name)
            guard amount <= intent.amount else {
                throw ProviderError.invalid("amount_too_large", "The intent holds less than that.", param: name)
            }
            intent.status = .succeeded
            intent.amountReceived = amount
            state.replace(intent)
            state.note(intent, at: now)
            return .done(.intent(intent))
        }
    }

    /// `POST /v1/payment_intents/{id}/cancel`.
    mutating func cancelIntent(
        _ id: String,
        _ form: [String: String],
        key: String?,
        at now: Int64
    ) -> ProviderReply {
        once(key, "/v1/payment_intents/\(id)/cancel", form, at: now) { state in
            let parameters = Parameters(form)
            try parameters.allow(["cancellation_reason"])
            let reasons = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"]
            let reason = try parameters.word("cancellation_reason", of: reasons)
            var intent = try state.existingIntent(id, at: now)
            switch intent.status {
            case .requiresConfirmation, .requiresPaymentMethod, .requiresAction, .requiresCapture:
                intent.status = .canceled
                intent.cancellationReason = reason
                state.replace(intent)
                state.note(intent, at: now)
                return .done(.intent(intent))
            case .processing, .succeeded, .canceled:
                throw ProviderError.unexpectedState(
                    intent,
                    "An intent with the status \(intent.status.rawValue) cannot be canceled."
                )
            }
        }
    }

    /// `GET /v1/payment_intents/{id}`.
    func intent(_ id: String, _ query: [String: String] = [:], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow(["client_secret"])
            return .intent(try existingIntent(id, at: now))
        }
    }

    /// `GET /v1/payment_intents`, newest first.
    func listIntents(_ query: [String: String], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow(Page.listNames.union(Period.names))
            let period = try Period(query)
            let all = intents.reversed().filter { period.contains($0.created) }.map { $0.settled(at: now) }
            let part = try Page(query).part(of: all, id: \.id)
            return .intents(part.items, hasMore: part.hasMore)
        }
    }

    /// `GET /v1/payment_intents/search?query=…`, newest first.
    func searchIntents(_ query: [String: String], at now: Int64) -> ProviderReply {
        reply {
            let parameters = Parameters(query)
            try parameters.allow(Page.searchNames.union(["query"]))
            let search = try SearchQuery(parameters.required("query"))
            let candidates = search.metadata["order_id"].map { intentsOfOrder[$0] ?? [] } ?? Array(intents.indices)
            let all = candidates.reversed().map { intents[$0].settled(at: now) }
                .filter { $0.created * 1000 + searchLag <= now && search.matches($0) }
            let part = try Page(query, ofSearch: true).part(of: all, id: \.id)
            return .found(part.items, hasMore: part.hasMore)
        }
    }

    /// `POST /v1/refunds`: gives the charge of an intent back, whole or in part.
    mutating func createRefund(_ form: [String: String], key: String?, at now: Int64) -> ProviderReply {
        let named = form["payment_intent"] ?? form["charge"].map(Self.intent(ofCharge:))
        if let key, let named, intentIndex[named] != nil { refundKeys[named, default: []].insert(key) }
        return createRefundOnce(form, key: key, at: now)
    }

    private mutating func createRefundOnce(_ form: [String: String], key: String?, at now: Int64) -> ProviderReply {
        once(key, "/v1/refunds", form, at: now) { state in
            let request = try RefundRequest(form)
            let intent = try state.refundable(request, at: now)
            let amount = request.amount ?? state.unrefunded(of: intent, at: now)
            let fault = state.faults.next(.refund)
            return try state.work(under: fault, at: now) { state, delay in
                let fate = RefundFate(of: intent, delay: delay, isFailing: fault?.kind == .failing)
                return .refund(state.addRefund(request, of: intent, amount: amount, fate: fate, at: now))
            }
        }
    }

    /// `GET /v1/refunds/{id}`.
    func refund(_ id: String, _ query: [String: String] = [:], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow([])
            guard let index = refundIndex[id] else { throw ProviderError.notFound("refund", id) }
            return .refund(refunds[index].settled(at: now))
        }
    }

    /// `GET /v1/refunds?payment_intent=…`, newest first; all of them without an intent.
    func listRefunds(_ query: [String: String], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow(Page.listNames.union(Period.names).union(["payment_intent", "charge"]))
            let intent = query["payment_intent"] ?? query["charge"].map(Self.intent(ofCharge:))
            let period = try Period(query)
            let all = refundsNow(of: intent, at: now).reversed().filter { period.contains($0.created) }
            let part = try Page(query).part(of: all, id: \.id)
            return .refunds(part.items, hasMore: part.hasMore)
        }
    }

    /// `GET /v1/disputes/{id}`.
    func dispute(_ id: String, _ query: [String: String] = [:], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow([])
            guard let index = disputeIndex[id] else { throw ProviderError.notFound("dispute", id) }
            return .dispute(disputes[index])
        }
    }

    /// `GET /v1/disputes`, newest first.
    func listDisputes(_ query: [String: String], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow(Page.listNames.union(Period.names).union(["payment_intent", "charge"]))
            let intent = query["payment_intent"] ?? query["charge"].map(Self.intent(ofCharge:))
            let period = try Period(query)
            let all = disputes.reversed().filter { dispute in
                (intent == nil || dispute.paymentIntent == intent) && period.contains(dispute.created)
            }
            let part = try Page(query).part(of: all, id: \.id)
            return .disputes(part.items, hasMore: part.hasMore)
        }
    }

    /// `GET /v1/events/{id}`.
    func event(_ id: String, _ query: [String: String] = [:], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow([])
            guard let event = events.kept.last(where: { $0.id == id }) else {
                throw ProviderError.notFound("event", id)
            }
            return .event(event)
        }
    }

    /// `GET /v1/events`, newest first; `type` may end in `.*`.
    func listEvents(_ query: [String: String], at now: Int64) -> ProviderReply {
        reply {
            try Parameters(query).allow(Page.listNames.union(Period.names).union(["type"]))
            let period = try Period(query)
            let type = query["type"]
            let all = events.kept.reversed().filter { event in
                guard period.contains(event.created) else { return false }
                guard let type else { return true }
                return type.hasSuffix(".*") ? event.type.hasPrefix(type.dropLast()) : event.type == type
            }
            let part = try Page(query).part(of: all, id: \.id)
            return .events(part.items, hasMore: part.hasMore)
        }
    }

    /// The intent whose charge has that id.
    private static func intent(ofCharge id: String) -> String { "pi_" + id.dropFirst(3) }

    // MARK: Control

    /// Plans a fault for the next `count` calls.
    mutating func plan(_ fault: Fault, for operation: Fault.Operation, count: Int) {
        faults.plan(fault, for: operation, count: count)
    }

    /// Forgets planned faults.
    mutating func clearFaults() {
        faults.clear()
        searchLag = 0
    }

    /// The search does not find what is younger than that.
    mutating func lagSearch(by milliseconds: Int64) {
        searchLag = milliseconds
    }

    /// Everything that happened, for those who count charges.
    func ledger(at now: Int64) -> Ledger {
        Ledger(
            intents: intents.map { $0.settled(at: now) },
            refunds: refundsNow(of: nil, at: now),
            disputes: disputes,
            refundKeys: refundKeys
        )
    }

    // MARK: The provider's own hand

    /// In the dashboard: gives a charge back, whole or in part.
    mutating func refundByHand(_ form: [String: String], at now: Int64) -> ProviderReply {
        var named = form
        do {
            if let order = named.removeValue(forKey: "order") {
                named["payment_intent"] = try chargedIntent(ofOrder: order, at: now)
            }
        } catch {
            return ProviderReply(.error(error))
        }
        return createRefund(named, key: nil, at: now)
    }

    /// The bank sends back what was to be refunded, days after the provider had said that it succeeded.
    mutating func failRefund(_ id: String, at now: Int64) -> ProviderReply {
        guard let index = refundIndex[id] else { return ProviderReply(.error(.notFound("refund", id))) }
        refunds[index].settlesAt = nil
        refunds[index].status = .failed
        note(refunds[index], "refund.failed", at: now)
        return ProviderReply(.refund(refunds[index]))
    }

    /// A customer contests a charge at the bank: all of it, or a part.
    mutating func openDispute(_ form: [String: String], at now: Int64) -> ProviderReply {
        do {
            let parameters = Parameters(form)
            try parameters.allow(["payment_intent", "order", "amount", "reason"])
            let reason = try parameters.word("reason", of: Dispute.reasons) ?? "fraudulent"
            let id: String
            if let order = form["order"] {
                id = try chargedIntent(ofOrder: order, at: now)
            } else {
                id = try parameters.required("payment_intent")
            }
            let intent = try existingIntent(id, at: now)
            guard intent.status == .succeeded else {
                throw ProviderError.unexpectedState(intent, "This intent has no successful charge to dispute.")
            }
            let amount = try form["amount"].map { try parameters.amount($0) } ?? unrefunded(of: intent, at: now)
            guard amount > 0, amount <= unrefunded(of: intent, at: now) else {
                throw ProviderError.invalid("amount_too_large", "More than is left of the charge.", param: "amount")
            }
            let dispute = Dispute(
                id: makeID("dp"),
                paymentIntent: intent.id,
                charge: intent.charge,
                amount: amount,
                currency: intent.currency,
                reason: reason,
                created: now / 1000,
                status: .needsResponse
            )
            disputeIndex[dispute.id] = disputes.count
            disputes.append(dispute)
            events.add("charge.dispute.created", .dispute(dispute), series: series, at: now)
            return ProviderReply(.dispute(dispute))
        } catch let error as ProviderError {
            return ProviderReply(.error(error))
        } catch {
            return ProviderReply(.error(.failed))
        }
    }

    /// The bank has decided.
    mutating func closeDispute(_ id: String, _ form: [String: String], at now: Int64) -> ProviderReply {
        guard let index = disputeIndex[id] else { return ProviderReply(.error(.notFound("dispute", id))) }
        switch form["status"] {
        case "won": disputes[index].status = .won
        case "lost": disputes[index].status = .lost
        default:
            return ProviderReply(.error(.invalid(nil, "Invalid status: must be one of won, lost", param: "status")))
        }
        events.add("charge.dispute.closed", .dispute(disputes[index]), series: series, at: now)
        return ProviderReply(.dispute(disputes[index]))
    }

    private func chargedIntent(ofOrder order: String, at now: Int64) throws(ProviderError) -> String {
        let found = (intentsOfOrder[order] ?? []).map { intents[$0].settled(at: now) }.last { $0.status == .succeeded }
        guard let found else { throw .notFound("charge of the order", order, param: "order") }
        return found.id
    }

    // MARK: Events

    /// Settles what time has settled, in its order, and notes it.
    ///
    /// Called before each call and whenever somebody looks, it comes to the same.
    mutating func settle(at now: Int64) {
        guard unsettled.contains(where: { $0.at <= now }) else { return }
        let due = unsettled.filter { $0.at <= now }.sorted { ($0.at, $0.id) < ($1.at, $1.id) }
        unsettled.removeAll { $0.at <= now }
        for one in due {
            if let index = intentIndex[one.id], intents[index].status == .processing {
                intents[index] = intents[index].settled(at: now)
                note(intents[index], at: one.at)
            } else if let index = refundIndex[one.id], refunds[index].settlesAt != nil {
                refunds[index] = refunds[index].settled(at: now)
                let type = refunds[index].status == .failed ? "refund.failed" : "refund.updated"
                note(refunds[index], type, at: one.at)
            }
        }
    }

    private mutating func note(_ intent: PaymentIntent, at now: Int64) {
        let type =
            switch intent.status {
            case .requiresPaymentMethod: "payment_intent.payment_failed"
            case .requiresConfirmation: "payment_intent.created"
            case .requiresAction: "payment_intent.requires_action"
            case .requiresCapture: "payment_intent.amount_capturable_updated"
            case .processing: "payment_intent.processing"
            case .succeeded: "payment_intent.succeeded"
            case .canceled: "payment_intent.canceled"
            }
        events.add(type, .intent(intent), series: series, at: now)
    }

    private mutating func note(_ refund: Refund, _ type: String, at now: Int64) {
        events.add(type, .refund(refund), series: series, at: now)
    }

    // MARK: Idempotency and faults

    /// The outcome of a call that was carried out.
    private struct Outcome {
        var reply: ProviderReply
        /// The answer kept under the idempotency key, and when the key is free for it; nil keeps nothing.
        var kept: (answer: ProviderAnswer, readyAt: Int64?)?

        static func done(_ answer: ProviderAnswer) -> Outcome {
            Outcome(reply: ProviderReply(answer), kept: (answer, nil))
        }

        static func refused(_ error: ProviderError) -> Outcome {
            Outcome(reply: ProviderReply(.error(error)), kept: nil)
        }
    }

    /// Carries a call out at most once per idempotency key.
    ///
    /// What `body` throws was refused before any work began.
    private mutating func once(
        _ key: String?,
        _ path: String,
        _ form: [String: String],
        at now: Int64,
        _ body: (inout ProviderState) throws -> Outcome
    ) -> ProviderReply {
        let call = IdempotencyTable.Call(path: path, parameters: form)
        if let key {
            guard (1...255).contains(key.utf8.count) else {
                return ProviderReply(.error(.invalid(nil, "Idempotency keys have 1 to 255 characters.")))
            }
            switch keys.verdict(on: call, key: key, at: now) {
            case .fresh: break
            case .replay(let answer): return ProviderReply(answer, isReplayed: true)
            case .otherParameters: return ProviderReply(.error(.otherParameters))
            case .inUse: return ProviderReply(.error(.keyInUse))
            }
        }
        do {
            let outcome = try body(&self)
            if let key, let kept = outcome.kept {
                keys.keep(kept.answer, of: call, key: key, readyAt: kept.readyAt ?? now, now: now)
            }
            return outcome.reply
        } catch let error as ProviderError {
            return ProviderReply(.error(error))
        } catch {
            return ProviderReply(.error(.failed))
        }
    }

    /// Does a piece of work under a fault: before it, after it, or later than usual.
    private mutating func work(
        under fault: Fault?,
        at now: Int64,
        _ body: (inout ProviderState, _ delay: Int64?) throws -> ProviderAnswer
    ) throws -> Outcome {
        switch fault?.kind {
        case nil, .twice, .forged, .lag:
            return .done(try body(&self, nil))
        case .error:
            return .refused(.failed)
        case .unavailable:
            return .refused(.unavailable)
        case .rateLimit:
            return .refused(.tooManyRequests)
        case .errorAfter:
            _ = try body(&self, nil)
            return .done(.error(.failed))
        case .timeout:
            var outcome = Outcome.done(try body(&self, nil))
            outcome.reply.transmission = .never
            return outcome
        case .reset:
            var outcome = Outcome.done(try body(&self, nil))
            outcome.reply.transmission = .cutOff
            return outcome
        case .slow, .pending, .failing:
            let delay = fault?.delayMilliseconds ?? FaultPlan.standardDelay
            var outcome = Outcome.done(try body(&self, delay))
            if case .refund(let refund) = outcome.reply.answer, fault?.kind == .slow {
                outcome.reply.answer = .refund(refund.settled(at: now + delay))
            }
            if case .refund = outcome.reply.answer, fault?.kind != .slow { return outcome }
            outcome.kept = (outcome.reply.answer, now + delay)
            outcome.reply.transmission = .at(now + delay)
            return outcome
        }
    }

    private func reply(_ body: () throws -> ProviderAnswer) -> ProviderReply {
        do {
            return ProviderReply(try body())
        } catch let error as ProviderError {
            return ProviderReply(.error(error))
        } catch {
            return ProviderReply(.error(.failed))
        }
    }

    // MARK: Tables

    private mutating func makeID(_ prefix: String) -> String {
        counter += 1
        return "\(prefix)_\(series)\(counter)"
    }

    private mutating func add(_ request: IntentRequest, at now: Int64) -> PaymentIntent {
        let intent = PaymentIntent(
            id: makeID("pi"),
            amount: request.amount,
            currency: request.currency,
            metadata: request.metadata,
            description: request.description,
            captureMethod: request.captureMethod,
            created: now / 1000,
            paymentMethod: request.paymentMethod?.rawValue,
            status: request.paymentMethod == nil ? .requiresPaymentMethod : .requiresConfirmation,
            isServersOwn: request.isServersOwn
        )
        intentIndex[intent.id] = intents.count
        intentsOfOrder[intent.order, default: []].append(intents.count)
        intents.append(intent)
        events.add("payment_intent.created", .intent(intent), series: series, at: now)
        return intent
    }

    private mutating func replace(_ intent: PaymentIntent) {
        guard let index = intentIndex[intent.id] else { return }
        intents[index] = intent
    }

    private func existingIntent(_ id: String, at now: Int64) throws -> PaymentIntent {
        guard let index = intentIndex[id] else { throw ProviderError.notFound("payment_intent", id, param: "intent") }
        return intents[index].settled(at: now)
    }

    private mutating func addRefund(
        _ request: RefundRequest,
        of intent: PaymentIntent,
        amount: Int64,
        fate: RefundFate,
        at now: Int64
    ) -> Refund {
        let refund = Refund(
            id: makeID("re"),
            paymentIntent: intent.id,
            charge: intent.charge,
            amount: amount,
            currency: intent.currency,
            metadata: request.metadata,
            reason: request.reason,
            created: now / 1000,
            status: fate.first,
            settlesAt: fate.delay.map { now + $0 },
            settlesTo: fate.last
        )
        refundIndex[refund.id] = refunds.count
        refundsOfIntent[intent.id, default: []].append(refunds.count)
        refunds.append(refund)
        note(refund, "refund.created", at: now)
        if let settlesAt = refund.settlesAt { unsettled.append(Unsettled(id: refund.id, at: settlesAt)) }
        return refund
    }

    /// What is to become of a refund.
    private struct RefundFate {
        var first = Refund.Status.succeeded
        var last = Refund.Status.succeeded
        /// After how long it changes.
        var delay: Int64?

        /// A planned fault comes first, then the payment method's own way.
        init(of intent: PaymentIntent, delay: Int64?, isFailing: Bool) {
            self.delay = delay
            if delay != nil {
                first = .pending
                last = isFailing ? .failed : .succeeded
                return
            }
            switch intent.paymentMethod.flatMap(PaymentMethod.init(rawValue:)) {
            case .pendingRefund:
                first = .pending
                self.delay = FaultPlan.standardDelay
            case .refundFail:
                last = .failed
                self.delay = FaultPlan.standardDelay
            default: break
            }
        }
    }

    private func refundsNow(of intent: String?, at now: Int64) -> [Refund] {
        (intent.map { refundsOfIntent[$0] ?? [] } ?? Array(refunds.indices)).map { refunds[$0].settled(at: now) }
    }

    private func unrefunded(of intent: PaymentIntent, at now: Int64) -> Int64 {
        refundsNow(of: intent.id, at: now).filter { $0.status != .failed }
            .reduce(intent.amountReceived) { $0 - $1.amount }
    }

    private func refundable(_ request: RefundRequest, at now: Int64) throws -> PaymentIntent {
        let (param, id) = request.charged
        guard let index = intentIndex[param == "charge" ? Self.intent(ofCharge: id) : id] else {
            throw ProviderError.notFound(param, id, param: param, status: 400)
        }
        let intent = intents[index].settled(at: now)
        guard intent.status == .succeeded else {
            throw ProviderError.unexpectedState(intent, "This intent has no successful charge to refund.")
        }
        guard !disputes.contains(where: { $0.paymentIntent == intent.id && $0.status != .won }) else {
            throw ProviderError.invalid("charge_disputed", "The charge has been charged back.")
        }
        let rest = unrefunded(of: intent, at: now)
        guard rest > 0 else {
            throw ProviderError.invalid("charge_already_refunded", "The charge has already been refunded.")
        }
        if let amount = request.amount {
            try ChargeRule(intent.currency)?.checkStep(amount, of: intent.currency)
            guard amount <= rest else {
                throw ProviderError.invalid(
                    "amount_too_large",
                    "The refund is greater than what is left of the charge.",
                    param: "amount"
                )
            }
        }
        return intent
    }
}
