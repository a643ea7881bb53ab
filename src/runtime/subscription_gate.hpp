// Which events come to a subscriber's queue at all: those of a type it subscribes to that name an entity there is. A
// publisher asks before he writes the event for it, so an event that would tell nobody costs next to nothing: a call of
// a customer without an account is none of the accounts' business.
//
// Who is created later hears nothing of what was announced before, as without this.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "broker/endpoint.hpp"
#include "runtime/entity_hosts.hpp"
#include "sdk/abi.h"

namespace switchboard::runtime {

/// Whether an event may tell an entity of that type something; `exists` says which ids there are. Pure. True also if
/// that can't be said without parsing the event.
bool may_tell_somebody(std::string_view event_json, const sb_entity_type& type,
                       const std::function<bool(const std::string& id)>& exists);

/// Asks by the version that serves at that moment. Both must outlive everybody who publishes.
std::shared_ptr<broker::message_gate> make_subscription_gate(const entity_hosts& hosts, const served_type& type);

} // namespace switchboard::runtime
