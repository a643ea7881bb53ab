#include "bridges/webhook/webhook_addresses.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

namespace switchboard::webhook {

namespace {

namespace ip = boost::asio::ip;

const auto& special_v4() {
  static const std::array networks{
      ip::make_network_v4("0.0.0.0/8"),       // this host, this network
      ip::make_network_v4("10.0.0.0/8"),      // private
      ip::make_network_v4("100.64.0.0/10"),   // carriers' NAT
      ip::make_network_v4("127.0.0.0/8"),     // loopback
      ip::make_network_v4("169.254.0.0/16"),  // link-local; clouds answer with credentials at 169.254.169.254
      ip::make_network_v4("172.16.0.0/12"),   // private
      ip::make_network_v4("192.0.0.0/24"),    // protocols
      ip::make_network_v4("192.0.2.0/24"),    // documentation
      ip::make_network_v4("192.88.99.0/24"),  // 6to4 relays
      ip::make_network_v4("192.168.0.0/16"),  // private
      ip::make_network_v4("198.18.0.0/15"),   // benchmarks
      ip::make_network_v4("198.51.100.0/24"), // documentation
      ip::make_network_v4("203.0.113.0/24"),  // documentation
      ip::make_network_v4("224.0.0.0/4"),     // multicast
      ip::make_network_v4("240.0.0.0/4"),     // reserved, broadcast
  };
  return networks;
}

/// Within 2000::/3; everything outside of it is refused anyway: loopback, unique local, link-local, multicast, ….
const auto& special_v6() {
  static const std::array networks{
      ip::make_network_v6("2001::/23"),     // protocols, Teredo among them
      ip::make_network_v6("2001:db8::/32"), // documentation
      ip::make_network_v6("2002::/16"),     // 6to4: leads to any IPv4 address
      ip::make_network_v6("3fff::/20"),     // documentation
  };
  return networks;
}

template <class Network, class Address>
bool is_in(const Network& network, const Address& address) {
  return Network{address, network.prefix_length()}.network() == network.network();
}

template <class Networks, class Address>
bool is_in_any(const Networks& networks, const Address& address) {
  return std::any_of(networks.begin(), networks.end(), [&](const auto& one) { return is_in(one, address); });
}

bool is_public_v4(const ip::address_v4& address) { return !is_in_any(special_v4(), address); }

ip::address_v4 last_four(const ip::address_v6& address) {
  const auto bytes = address.to_bytes();
  return ip::address_v4{ip::address_v4::bytes_type{{bytes[12], bytes[13], bytes[14], bytes[15]}}};
}

} // namespace

bool is_public(const ip::address& address) {
  if (address.is_v4())
    return is_public_v4(address.to_v4());
  const auto six = address.to_v6();
  static const auto nat64 = ip::make_network_v6("64:ff9b::/96");
  static const auto unicast = ip::make_network_v6("2000::/3");
  if (six.is_v4_mapped() || is_in(nat64, six))
    return is_public_v4(last_four(six));
  return is_in(unicast, six) && !is_in_any(special_v6(), six);
}

} // namespace switchboard::webhook
