# SPDX-License-Identifier: MIT
include(CheckCCompilerFlag)
include(CheckPIESupported)

# Programs as position independent executables; the library is PIC anyway.
check_pie_supported(LANGUAGES C)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
                    -fstack-protector-strong)
foreach(flag -fstack-clash-protection -fcf-protection)
  # Neither exists for every processor.
  string(MAKE_C_IDENTIFIER "GMEM_HAS${flag}" known)
  check_c_compiler_flag(${flag} ${known})
  if(${known})
    add_compile_options(${flag})
  endif()
endforeach()
add_link_options(LINKER:-z,relro,-z,now)
