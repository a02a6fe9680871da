/* SPDX-License-Identifier: MIT */
/*
 * The switch on x86-64, System V calling convention.
 *
 * A parked stack holds, from its saved stack pointer upwards: MXCSR (4 bytes), x87 control word (4),
 * r12, r13, r14, r15, rbx, rbp, the address to go on at. These, and nothing else, are what a callee
 * must preserve. The control words are loaded always: to compare first and load only what differs was measured
 * to be a quarter slower. The last step is `ret`: coroutines leave at one place of the scheduler, so the address is
 * the one that the processor's return stack predicts, and what it predicts for the frames above stays in step. (An
 * indirect jump is predicted, too, but leaves the return stack one entry off, so that every return above
 * it is mispredicted: a yield took 40 ns instead of 12.) For the same reason a new stack is entered by a call and ended
 * by a return: then as many addresses are on the return stack as before it began. The lowest bit of the stack pointer
 * tells a new stack from a parked one.
 *
 * There is no note section for shadow stacks and branch tracking, on purpose: its absence tells the
 * linker that this code must run without them.
 */
    .text

/* void weft_switch_swap(void **save, void *load) */
    .globl weft_switch_swap
    .hidden weft_switch_swap
    .type weft_switch_swap, @function
    .p2align 4
weft_switch_swap:
    .cfi_startproc
    leaq    -56(%rsp), %rsp
    .cfi_adjust_cfa_offset 56
    stmxcsr (%rsp)
    fnstcw  4(%rsp)
    movq    %r12, 8(%rsp)
    movq    %r13, 16(%rsp)
    movq    %r14, 24(%rsp)
    movq    %r15, 32(%rsp)
    movq    %rbx, 40(%rsp)
    movq    %rbp, 48(%rsp)
    .cfi_rel_offset %r12, 8
    .cfi_rel_offset %r13, 16
    .cfi_rel_offset %r14, 24
    .cfi_rel_offset %r15, 32
    .cfi_rel_offset %rbx, 40
    .cfi_rel_offset %rbp, 48
    movq    %rsp, (%rdi)
.Lload:
    testb   $1, %sil
    jne     weft_switch_begin
    movq    %rsi, %rsp          /* the same frame on the other stack: what was said of it still holds */
    ldmxcsr (%rsp)
    fldcw   4(%rsp)
    movq    8(%rsp), %r12
    movq    16(%rsp), %r13
    movq    24(%rsp), %r14
    movq    32(%rsp), %r15
    movq    40(%rsp), %rbx
    movq    48(%rsp), %rbp
    .cfi_restore %r12
    .cfi_restore %r13
    .cfi_restore %r14
    .cfi_restore %r15
    .cfi_restore %rbx
    .cfi_restore %rbp
    leaq    56(%rsp), %rsp
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size weft_switch_swap, . - weft_switch_swap

/* void *weft_switch_frame(void *top, void *(*entry)(void *), void *arg): a new frame below `top` (16-aligned) that
 * calls entry(arg) when it is taken up, and then takes up the frame that is returned; the control words are the
 * caller's. */
    .globl weft_switch_frame
    .hidden weft_switch_frame
    .type weft_switch_frame, @function
    .p2align 4
weft_switch_frame:
    .cfi_startproc
    leaq    -32(%rdi), %rax
    stmxcsr (%rax)
    fnstcw  4(%rax)
    movq    %rsi, 8(%rax)
    movq    %rdx, 16(%rax)
    incq    %rax
    ret
    .cfi_endproc
    .size weft_switch_frame, . - weft_switch_frame

/* The outermost frame of every stack. It has no caller: unwinders end here. */
    .type weft_switch_begin, @function
    .p2align 4
weft_switch_begin:
    .cfi_startproc
    .cfi_undefined %rip
    leaq    -1(%rsi), %rsp
    ldmxcsr (%rsp)
    fldcw   4(%rsp)
    movq    16(%rsp), %rdi
    xorl    %ebp, %ebp          /* the end of the chain of frames */
    call    *8(%rsp)
    movq    %rax, %rsi
    jmp     .Lload
    .cfi_endproc
    .size weft_switch_begin, . - weft_switch_begin

    .section .note.GNU-stack, "", @progbits
