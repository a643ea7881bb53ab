#include "runtime/elf_section.hpp"

#include <bit>
#include <cstring>
#include <optional>

#include <elf.h>

namespace switchboard::runtime {

namespace {

/// The bytes offset..offset+size of `file`, if they are inside.
std::optional<std::string_view> slice(std::string_view file, std::uint64_t offset, std::uint64_t size) {
  if (offset > file.size() || size > file.size() - offset)
    return std::nullopt;
  return file.substr(offset, size);
}

/// A structure at `offset`. Copied, since a damaged file may place it at any alignment.
template <class T>
std::optional<T> read(std::string_view file, std::uint64_t offset) {
  const auto bytes = slice(file, offset, sizeof(T));
  if (!bytes)
    return std::nullopt;
  T value;
  std::memcpy(&value, bytes->data(), sizeof(T));
  return value;
}

#if defined(__x86_64__)
constexpr Elf64_Half our_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half our_machine = EM_AARCH64;
#elif defined(__riscv)
constexpr Elf64_Half our_machine = EM_RISCV;
#else
#error "which machine are plugins of this one for?"
#endif

bool is_ours(const Elf64_Ehdr& header) {
  constexpr auto byte_order = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_ident[EI_DATA] == byte_order && header.e_machine == our_machine && header.e_type == ET_DYN &&
         header.e_shentsize == sizeof(Elf64_Shdr);
}

/// Text up to its zero byte; empty if it has none.
std::string_view text_at(std::string_view table, std::uint64_t offset) {
  if (offset >= table.size())
    return {};
  const auto rest = table.substr(offset);
  const auto end = rest.find('\0');
  return end == std::string_view::npos ? std::string_view{} : rest.substr(0, end);
}

} // namespace

expected<std::string_view> find_elf_section(std::string_view file, std::string_view name) {
  const auto header = read<Elf64_Ehdr>(file, 0);
  if (!header || !is_ours(*header))
    return {errc::bad_format, "not a 64-bit shared object of this machine"};
  const auto section = [&](std::uint64_t index) -> std::optional<Elf64_Shdr> {
    // No overflow: the index has 16 bits, and the offset is checked on its own first.
    if (header->e_shoff > file.size())
      return std::nullopt;
    return read<Elf64_Shdr>(file, header->e_shoff + index * sizeof(Elf64_Shdr));
  };
  const auto names_section = section(header->e_shstrndx);
  const auto names = names_section ? slice(file, names_section->sh_offset, names_section->sh_size) : std::nullopt;
  if (!names || header->e_shstrndx >= header->e_shnum)
    return {errc::bad_format, "its table of sections is damaged"};
  for (std::uint64_t index = 0; index < header->e_shnum; ++index) {
    const auto candidate = section(index);
    if (!candidate)
      return {errc::bad_format, "its table of sections is cut off"};
    if (text_at(*names, candidate->sh_name) != name)
      continue;
    const auto bytes =
        candidate->sh_type == SHT_NOBITS ? std::nullopt : slice(file, candidate->sh_offset, candidate->sh_size);
    if (!bytes)
      return {errc::bad_format, "its section " + std::string{name} + " lies outside the file"};
    return *bytes;
  }
  return {errc::not_found, "it has no section " + std::string{name}};
}

} // namespace switchboard::runtime
