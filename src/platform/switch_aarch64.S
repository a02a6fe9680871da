/* SPDX-License-Identifier: MIT */
/*
 * The switch on aarch64, AAPCS64.
 *
 * A parked stack holds, from its saved stack pointer upwards: x19 to x28, x29 and x30 (the frame and the address to go
 * on at), d8 to d15, FPCR, and 8 bytes of padding. FPCR is written only if it differs, since writing it
 * is slow and it hardly ever does.
 *
 * A new stack is entered by a call and ended by a return, as on x86-64; the lowest bit of the stack pointer tells it
 * from a parked one.
 *
 * There is no note section for branch targets and guarded control stacks, on purpose: its absence
 * tells the linker that this code must run without them.
 */
    .text

/* void weft_switch_swap(void **save, void *load) */
    .globl weft_switch_swap
    .hidden weft_switch_swap
    .type weft_switch_swap, %function
    .p2align 4
weft_switch_swap:
    .cfi_startproc
    sub     sp, sp, #176
    .cfi_adjust_cfa_offset 176
    mrs     x9, fpcr
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    str     x9, [sp, #160]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    mov     x10, sp
    str     x10, [x0]
.Lload:
    tbnz    x1, #0, weft_switch_begin
    mov     sp, x1              /* the same frame on the other stack: what was said of it still holds */
    ldr     x10, [sp, #160]
    cmp     x9, x10
    b.ne    2f
1:  ldp     x19, x20, [sp, #0]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    add     sp, sp, #176
    .cfi_remember_state
    .cfi_def_cfa_offset 0
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    ret                         /* keeps the predictor of returns in step, as on x86-64 */
    .cfi_restore_state
2:  msr     fpcr, x10
    b       1b
    .cfi_endproc
    .size weft_switch_swap, . - weft_switch_swap

/* void *weft_switch_frame(void *top, void *(*entry)(void *), void *arg): a new frame below `top` (16-aligned) that
 * calls entry(arg) when it is taken up, and then takes up the frame that is returned; FPCR is the caller's. */
    .globl weft_switch_frame
    .hidden weft_switch_frame
    .type weft_switch_frame, %function
    .p2align 4
weft_switch_frame:
    .cfi_startproc
    sub     x0, x0, #32
    mrs     x9, fpcr
    stp     x1, x2, [x0, #0]
    str     x9, [x0, #16]
    add     x0, x0, #1
    ret
    .cfi_endproc
    .size weft_switch_frame, . - weft_switch_frame

/* The outermost frame of every stack. It has no caller: unwinders end here. */
    .type weft_switch_begin, %function
    .p2align 4
weft_switch_begin:
    .cfi_startproc
    .cfi_undefined x30
    sub     x1, x1, #1
    mov     sp, x1
    ldp     x10, x0, [sp, #0]
    ldr     x11, [sp, #16]
    mrs     x9, fpcr
    cmp     x9, x11
    b.eq    3f
    msr     fpcr, x11
3:  mov     x29, xzr            /* the end of the chain of frames */
    blr     x10
    mov     x1, x0
    mrs     x9, fpcr
    b       .Lload
    .cfi_endproc
    .size weft_switch_begin, . - weft_switch_begin

    .section .note.GNU-stack, "", %progbits
