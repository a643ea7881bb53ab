// Randomness from the operating system, cheap enough for every message: one system call fills a buffer per thread.
// Good enough for names that must not be guessed. Entities never call this; their context hands randomness in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace switchboard {

/// Each bit of the result depends on each of the argument, and is the same in every process: SplitMix64's finalizer.
constexpr std::uint64_t mix_bits(std::uint64_t bits) noexcept {
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111ebU;
  return bits ^ bits >> 31;
}

/// Fills `out`. Thread-safe. Ends the process if the kernel refuses, since no id could be trusted after that.
/// Not for use on both sides of a fork(): parent and child would share the buffered bytes.
void fill_random(std::span<std::byte> out);

/// 22 characters of base64url, 132 random bits: what RabbitMQ's names for queues and consumers end with. Thread-safe.
std::string random_name();

/// 64 random bits, e.g. the dice of back_off.hpp. Thread-safe.
std::uint64_t random_bits();

} // namespace switchboard
