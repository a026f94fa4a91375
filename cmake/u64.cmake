# SPDX-License-Identifier: MIT
# gmem_u64(TEMPLATE OUTPUT HEADER...): makes OUTPUT of TEMPLATE, with a constant
# of type uint64_t for each macro of the headers that is one.
function(gmem_u64 template output)
  set_property(
    DIRECTORY
    APPEND
    PROPERTY CMAKE_CONFIGURE_DEPENDS ${ARGN})
  set(macro "^#define (GMEM_[A-Z0-9_]+) (GMEM_BIT|UINT64_C)\\(([0-9]+)\\).*")
  set(constants)
  foreach(header ${ARGN})
    file(STRINGS ${header} lines REGEX "${macro}")
    foreach(line ${lines})
      string(REGEX REPLACE "${macro}" "\\1;\\2;\\3" parts "${line}")
      list(GET parts 0 name)
      list(GET parts 1 kind)
      list(GET parts 2 value)
      if(kind STREQUAL GMEM_BIT)
        math(EXPR value "1 << ${value}" OUTPUT_FORMAT HEXADECIMAL)
      endif()
      string(APPEND constants "static const uint64_t ${name} = ${value};\n")
    endforeach()
  endforeach()
  configure_file(${template} ${output} @ONLY)
endfunction()
