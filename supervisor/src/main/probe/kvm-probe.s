# A boot sector that does once what every guest does all the time, and says so on port 0xf4: real
# mode, protected mode, page tables, long mode, cpuid, SSE, a locked instruction, a string move.
# Where KVM only half works (nested, or on a broken processor), one of them stops QEMU, resets the
# machine or never ends. KvmProbe runs it.
#
# Builds (KvmProbeTest does, and compares):
#   as --64 -o kvm-probe.o kvm-probe.s
#   ld -m elf_x86_64 -Ttext=0x7c00 -o kvm-probe.elf kvm-probe.o
#   objcopy -O binary -j .text kvm-probe.elf kvm-probe.img
#
# Memory (QEMU has 16 MiB): 0x1000 page tables, 0x7c00 this sector and below it the stack,
# 0x1fff00 the copy, across the border of two pages.

        .set    PML4, 0x1000
        .set    PDPT, 0x2000
        .set    PD, 0x3000
        .set    COPY, 0x1fff00
        .set    CODE32, 0x08            # selectors of the table below
        .set    DATA, 0x10
        .set    CODE64, 0x18

        .set    EXIT_PORT, 0xf4         # isa-debug-exit: status = 2 * value + 1
        .set    WORKS, 16               # 33
        .set    WRONG, 1                # 3

        .set    PRESENT_WRITABLE, 0x03
        .set    LARGE, 0x80             # a page of 2 MiB
        .set    PAGE_BYTES, 0x200000
        .set    PAGES, 8

        .set    CR0_PE_PG, 0x80000001
        .set    CR0_MP, 0x02
        .set    CR0_EM, 0x04
        .set    CR4_PAE_SSE, 0x620      # PAE, OSFXSR, OSXMMEXCPT
        .set    EFER, 0xc0000080
        .set    EFER_LME, 0x100

        .text
        .globl  _start
        .code16
_start:
        cli
        cld
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7c00, %sp
        inb     $0x92, %al              # address line 20: else every second MiB is the first again
        orb     $0x02, %al
        andb    $0xfe, %al              # bit 0 would reset
        outb    %al, $0x92
        lgdtl   descriptors
        movl    %cr0, %eax
        orb     $0x01, %al
        movl    %eax, %cr0
        ljmpl   $CODE32, $protected

        .code32
protected:
        movw    $DATA, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x7c00, %esp

        movl    $PML4, %edi             # three empty tables
        xorl    %eax, %eax
        movl    $(3 * 4096 / 4), %ecx
        rep stosl
        movl    $(PDPT + PRESENT_WRITABLE), PML4
        movl    $(PD + PRESENT_WRITABLE), PDPT
        movl    $PD, %edi               # every address is itself
        movl    $(LARGE + PRESENT_WRITABLE), %eax
        movl    $PAGES, %ecx
page:   movl    %eax, (%edi)
        addl    $PAGE_BYTES, %eax
        addl    $8, %edi
        loop    page

        movl    $PML4, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $CR4_PAE_SSE, %eax
        movl    %eax, %cr4
        movl    $EFER, %ecx
        rdmsr
        orl     $EFER_LME, %eax
        wrmsr
        movl    %cr0, %eax
        andl    $~CR0_EM, %eax
        orl     $(CR0_PE_PG + CR0_MP), %eax
        movl    %eax, %cr0
        ljmpl   $CODE64, $long

        .code64
long:
        movw    $DATA, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x7c00, %esp

        movl    $1, %eax                # cpuid: SSE2 is part of every 64-bit processor
        cpuid
        btl     $26, %edx
        jnc     wrong

        movl    $0x12345678, %eax       # SSE, in registers and over memory
        movd    %eax, %xmm0
        pshufd  $0, %xmm0, %xmm0
        paddd   %xmm0, %xmm0
        movdqu  %xmm0, COPY
        cmpl    $0x2468acf0, COPY + 12
        jne     wrong

        movl    $1000, %ecx             # a locked instruction
counting:
        lock incl COPY
        loop    counting
        cmpl    $(0x2468acf0 + 1000), COPY
        jne     wrong

        movl    $0x7c00, %esi           # a string move
        movl    $COPY, %edi
        movl    $512, %ecx
        rep movsb
        movl    $0x7c00, %esi
        movl    $COPY, %edi
        movl    $512, %ecx
        repe cmpsb
        jne     wrong

        movb    $WORKS, %al
        outb    %al, $EXIT_PORT
        jmp     halt                    # there is no such port: the time limit ends it
wrong:
        movb    $WRONG, %al
        outb    %al, $EXIT_PORT
halt:
        hlt
        jmp     halt

        .balign 8, 0
table:
        .quad   0
        .quad   0x00cf9a000000ffff      # CODE32
        .quad   0x00cf92000000ffff      # DATA
        .quad   0x00af9a000000ffff      # CODE64
descriptors:
        .word   descriptors - table - 1
        .long   table

        .org    _start + 510
        .word   0xaa55
