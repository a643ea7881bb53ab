// A service: consumes bin-manager.<name>.request (and the name VoIPBIN's code uses), checks envelope, deadline and
// duplicate, finds the entity and hands the request over. Every request gets exactly one effect and as many answers as
// it has repeats.
//
//   delivery -> envelope? -> deadline? -> stored reply? -> at work already? -> route? -> entity -> work_done -> settle
//                 400/413      504          the same again     waits with it     404      (replies itself)
#pragma once

#include <string>
#include <vector>

#include <caf/actor.hpp>

#include "runtime/entity_hosts.hpp"

namespace switchboard::runtime {

/// Serves the routes of all hosted types that name `service`. Runs on a thread of its own. Knows consumer_actor's
/// messages: await_consuming, drain_consumer.
caf::actor spawn_service(entity_hosts& hosts, const std::string& service, std::uint32_t prefetch = 1000);

/// The services that the hosted types name, each once.
std::vector<std::string> services_of(const entity_hosts& hosts);

} // namespace switchboard::runtime
