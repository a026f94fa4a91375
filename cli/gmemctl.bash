# SPDX-License-Identifier: MIT
# bash completion for gmemctl(1), made by cli/completion.py

# What may follow command $1; fails if there is no such command.
_gmemctl_words()
{
	case $1 in
	'') echo 'help probe why run ps stat populate discard load policy map doctor batch conform commands --help --version --json --device --model --verbose' ;;
	'help') echo '--help --version' ;;
	'probe') echo '--vm-type --require --format --help --version --json --device --model --verbose' ;;
	'why') echo 'create bind attributes --help --version --json --device --model --verbose' ;;
	'why create') echo '--size --hugetlb --shared --mmap --init-shared --guest-only --unbound --vm-type --help --version --json --device --model --verbose' ;;
	'why bind') echo '--slot --gpa --offset --len --with --fd --hva --dirty-log --readonly --alias --leave-shared --address-space --size --hugetlb --shared --mmap --init-shared --guest-only --unbound --vm-type --help --version --json --device --model --verbose' ;;
	'why attributes') echo '--to --offset --len --with --size --hugetlb --shared --mmap --init-shared --guest-only --unbound --vm-type --help --version --json --device --model --verbose' ;;
	'run') echo '--size --hugetlb --shared --vm-type --help --version --device --verbose' ;;
	'ps') echo '--output --bytes --noheadings --nodes --budget --help --version --json' ;;
	'stat') echo '--fd --pid --offset --len --help --version --json' ;;
	'populate') echo '--shared --threads --policy --nodes --fd --pid --offset --len --help --version --json' ;;
	'discard') echo '--yes-destroy --fd --pid --offset --len --help --version --json' ;;
	'load') echo '--shared --fd --pid --offset --len --help --version --json' ;;
	'policy') echo '--get --set --verify --against --nodes --static-nodes --relative-nodes --numa-balancing --strict --shared --fd --pid --offset --len --help --version --json' ;;
	'map') echo '--shared --nodes --width --fd --pid --offset --len --help --version --json' ;;
	'doctor') echo '--format --help --version --json --device --verbose' ;;
	'batch') echo '--vm-type --dry-run --help --version --json --device --model --verbose' ;;
	'conform') echo '--list --help --version --json --device --model' ;;
	'commands') echo '--help --version --json' ;;
	*) return 1 ;;
	esac
}

# What may follow an option, in "$1" = "COMMAND OPTION"; <> stands for files.
# Fails if the option takes no value.  An option that need not have one is
# here with the "=" that its value needs.
_gmemctl_values()
{
	case $1 in
	' --device') echo '<>' ;;
	' --model=') echo '6.12 6.18 6.19 7.2 7.3 inplace hugetlb-rfc1 hugetlb-rfc2 help' ;;
	'probe --vm-type') echo 'default sw-protected sev sev-es snp tdx all' ;;
	'probe --require') echo '' ;;
	'probe --format') echo 'text json env seccomp' ;;
	'probe --device') echo '<>' ;;
	'probe --model=') echo '6.12 6.18 6.19 7.2 7.3 inplace hugetlb-rfc1 hugetlb-rfc2 help' ;;
	'why --device') echo '<>' ;;
	'why --model=') echo '6.12 6.18 6.19 7.2 7.3 inplace hugetlb-rfc1 hugetlb-rfc2 help' ;;
	'why create --size') echo '' ;;
	'why create --hugetlb') echo '' ;;
	'why create --vm-type') echo 'default sw-protected sev sev-es snp tdx' ;;
	'why create --device') echo '<>' ;;
	'why create --model=') echo '6.12 6.18 6.19 7.2 7.3 inplace hugetlb-rfc1 hugetlb-rfc2 help' ;;
	'why bind --slot') echo '' ;;
	'why bind --gpa') echo '' ;;
	'why bind --offset') echo '' ;;
	'why bind --len') echo '' ;;
	'why bind --with') echo '' ;;
	'why bind --address-space') echo '' ;;
	'why bind --size') echo '' ;;
	'why bind --hugetlb') echo '' ;;
	'why bind --vm-type') echo 'default sw-protected sev sev-es snp tdx' ;;
	'why bind --device') echo '<>' ;;
	'why bind --model=') echo '6.12 6.18 6.19 7.2 7.3 inplace hugetlb-rfc1 hugetlb-rfc2 help' ;;
	'why attributes --to') echo 'private shared' ;;
	'why attributes --offset') echo '' ;;
	'why attributes --len') echo '' ;;
	'why attributes --with') echo '' ;;
	'why attributes --size') echo '' ;;
	'why attributes --hugetlb') echo '' ;;
	'why attributes --vm-type') echo 'default sw-protected sev sev-es snp tdx' ;;
	'why attributes --device') echo '<>' ;;
	'why attributes --model=') echo '6.12 6.18 6.19 7.2 7.3 inplace hugetlb-rfc1 hugetlb-rfc2 help' ;;
	'run --size') echo '' ;;
	'run --hugetlb') echo '' ;;
	'run --vm-type') echo 'default sw-protected sev sev-es snp tdx' ;;
	'run --device') echo '<>' ;;
	'ps --output') echo '' ;;
	'ps --budget') echo '' ;;
	'stat --fd') echo '' ;;
	'stat --pid') echo '' ;;
	'stat --offset') echo '' ;;
	'stat --len') echo '' ;;
	'populate --threads') echo '' ;;
	'populate --policy') echo 'default preferred bind interleave local preferred-many weighted-interleave' ;;
	'populate --nodes') echo '' ;;
	'populate --fd') echo '' ;;
	'populate --pid') echo '' ;;
	'populate --offset') echo '' ;;
	'populate --len') echo '' ;;
	'discard --fd') echo '' ;;
	'discard --pid') echo '' ;;
	'discard --offset') echo '' ;;
	'discard --len') echo '' ;;
	'load --fd') echo '' ;;
	'load --pid') echo '' ;;
	'load --offset') echo '' ;;
	'load --len') echo '' ;;
	'policy --set') echo 'default preferred bind interleave local preferred-many weighted-interleave' ;;
	'policy --against') echo 'default preferred bind interleave local preferred-many weighted-interleave' ;;
	'policy --nodes') echo '' ;;
	'policy --fd') echo '' ;;
	'policy --pid') echo '' ;;
	'policy --offset') echo '' ;;
	'policy --len') echo '' ;;
	'map --width') echo '' ;;
	'map --fd') echo '' ;;
	'map --pid') echo '' ;;
	'map --offset') echo '' ;;
	'map --len') echo '' ;;
	'doctor --format') echo 'text json tap' ;;
	'doctor --device') echo '<>' ;;
	'batch --vm-type') echo 'default sw-protected sev sev-es snp tdx' ;;
	'batch --device') echo '<>' ;;
	'batch --model=') echo '6.12 6.18 6.19 7.2 7.3 inplace hugetlb-rfc1 hugetlb-rfc2 help' ;;
	'conform --device') echo '<>' ;;
	'conform --model=') echo '6.12 6.18 6.19 7.2 7.3 inplace hugetlb-rfc1 hugetlb-rfc2 help' ;;
	*) return 1 ;;
	esac
}

# What the operands of command $1 are: <> files, <program>, or words.
_gmemctl_operands()
{
	case $1 in
	'help') echo 'help probe why run ps stat populate discard load policy map doctor batch conform commands' ;;
	'run') echo '<program>' ;;
	'load') echo '<>' ;;
	'batch') echo '<>' ;;
	*) _gmemctl_words "$1" ;;
	esac
}

# How the lists above name option $2 of command $1, which "=" follows: bash
# makes three words of --option=value.
_gmemctl_option()
{
	if _gmemctl_values "$1 $2=" >/dev/null; then
		echo "$2="
	else
		echo "$2"
	fi
}

_gmemctl_complete()
{
	if [[ $1 == '<program>' ]]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
	elif [[ $1 == '<>' ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null
	else
		mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
	fi
}

_gmemctl()
{
	local i word last='' cmd='' cur=${COMP_WORDS[COMP_CWORD]}

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == = && ${COMP_WORDS[i-1]} == -* ]]; then
			last=$(_gmemctl_option "$cmd" "${COMP_WORDS[i-1]}")
		elif [[ $last ]]; then	# the value of the option before it
			last=''
		elif _gmemctl_values "$cmd $word" >/dev/null; then
			last=$word
		elif [[ $word != -* || $word == -- ]] &&
			[[ $(_gmemctl_operands "$cmd") == '<program>' ]]; then
			[[ $word == -- ]] && ((i++))
			declare -F _command_offset >/dev/null &&
				_command_offset "$i"
			return
		elif _gmemctl_words "${cmd:+$cmd }$word" >/dev/null; then
			cmd=${cmd:+$cmd }$word
		fi
	done
	if [[ $cur == = && ${COMP_WORDS[COMP_CWORD-1]} == -* ]]; then
		last=$(_gmemctl_option "$cmd" "${COMP_WORDS[COMP_CWORD-1]}")
		cur=''
	fi
	if [[ $last ]]; then
		_gmemctl_complete "$(_gmemctl_values "$cmd $last")"
	elif [[ $cur == -* ]]; then
		_gmemctl_complete "$(_gmemctl_words "$cmd")"
	else
		_gmemctl_complete "$(_gmemctl_operands "$cmd")"
	fi
} &&
	complete -F _gmemctl gmemctl
