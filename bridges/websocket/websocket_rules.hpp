// Who may subscribe to what. Pure; compares whole fields byte by byte, never prefixes (facts/reliability 3: that is how
// one tenant came to read another's events elsewhere).
#pragma once

#include "messages/topic.hpp"
#include "runtime/jwt.hpp"

namespace switchboard::websocket {

/// A customer's topic: the token's own customer. An agent's topic: that agent itself, or any of its own agents for a
/// token of the customer itself (the index adds the tenant's wall, since an agent's topic does not name the tenant).
inline bool may_subscribe(const runtime::claims& who, const topic_pattern& to) {
  if (to.scope == topic_scope::customer)
    return !who.customer_id.empty() && to.owner == who.customer_id;
  return who.agent_id.empty() || to.owner == who.agent_id;
}

} // namespace switchboard::websocket
