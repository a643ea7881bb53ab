// Which addresses a customer's webhook may be delivered to: those of the public internet. Else any customer could have
// the node ask what stands behind its firewall (server-side request forgery). Pure.
// Source: IANA's special-purpose address registries, RFC 6890 and its successors.
#pragma once

#include <boost/asio/ip/address.hpp>

namespace switchboard::webhook {

/// Globally reachable unicast. IPv4 addresses within IPv6 ones (mapped, NAT64) count as what is within.
bool is_public(const boost::asio::ip::address& address);

} // namespace switchboard::webhook
